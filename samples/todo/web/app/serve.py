"""A to-do list: GET / shows it, POST / adds a line or ticks one off."""

import html
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from database import connect

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>to do</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  :root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
  body {{ max-width: 30rem; margin: 3rem auto; padding: 0 1rem; }}
  li {{ margin: .4rem 0; list-style: none; }} ul {{ padding: 0; }}
  .done {{ text-decoration: line-through; opacity: .6; }}
  button {{ font: inherit; border-radius: .4rem; border: 1px solid #8888; cursor: pointer; }}
  input {{ font: inherit; width: 75%; padding: .4rem; }} footer {{ opacity: .6; margin-top: 2rem; }}
</style></head><body><h1>to do</h1>
<form method="post"><input name="text" aria-label="What" maxlength="200" autofocus> <button>add</button></form>
<ul>{items}</ul><footer>served by {host}</footer></body></html>
"""
ITEM = (
    '<li class="{state}"><form method="post"><button name="tick" value="{id}">✓</button> '
    "{text}</form></li>"
)


class Handler(BaseHTTPRequestHandler):
    """One request, one transaction."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """The page, or the health of what it stands on."""
        if self.path not in ("/", "/health"):
            self.answer(404, "nothing here\n")
            return
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id, text, done FROM item ORDER BY added, id")
            rows = cursor.fetchall()
        if self.path == "/health":
            self.answer(200, "ok\n")
            return
        items = "".join(
            ITEM.format(id=number, text=html.escape(text), state="done" if done else "")
            for number, text, done in rows
        )
        self.answer(200, PAGE.format(items=items, host=os.uname().nodename), "text/html")

    def do_POST(self):
        """Change the list, then show it."""
        size = min(int(self.headers.get("Content-Length") or 0), 10_000)
        form = parse_qs(self.rfile.read(size).decode(errors="replace"))
        text, tick = form.get("text", [""])[0].strip()[:200], form.get("tick", [""])[0]
        with connect() as connection, connection.cursor() as cursor:
            if text:
                cursor.execute("INSERT INTO item (text) VALUES (%s)", (text,))
            if tick.isdigit():
                cursor.execute("UPDATE item SET done = NOT done WHERE id = %s", (int(tick),))
        self.send_response(303)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, status, text, kind="text/plain"):
        """One whole response."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        """Health checks are not worth a line."""
        if self.path != "/health":
            super().log_request(code, size)


server = ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("the list is served on port 8000", flush=True)
server.serve_forever()
