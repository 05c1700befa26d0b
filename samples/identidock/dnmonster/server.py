"""dnmonster: GET /monster/NAME?size=PIXELS answers a PNG; GET /health answers ok."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import monster

SIZES = range(16, 1025)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Routes: /monster/NAME and /health."""
        address = urlsplit(self.path)
        if address.path == "/health":
            self.answer(200, "text/plain", b"ok\n")
            return
        _, kind, *rest = [*address.path.split("/", 2), ""]
        if kind != "monster" or not rest[0]:
            self.answer(404, "text/plain", b"ask for /monster/NAME\n")
            return
        size = parse_qs(address.query).get("size", ["240"])[0]
        if not size.isascii() or not size.isdigit() or int(size) not in SIZES:
            self.answer(400, "text/plain", b"size is a number of pixels from 16 to 1024\n")
            return
        self.answer(200, "image/png", monster.draw(unquote(rest[0]), int(size)))

    def answer(self, status, kind, body):
        """One whole response."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        """Health checks are not worth a line."""
        if not self.path.startswith("/health"):
            super().log_request(code, size)


def main():
    """Serves until SIGTERM."""
    server = ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("dnmonster draws on port 8080", flush=True)
    server.serve_forever()


main()
