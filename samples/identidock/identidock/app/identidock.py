"""identidock: a name in, its monster out; pictures are cached in Redis, hits and misses counted."""

import hashlib
import os
import urllib.error
import urllib.parse
import urllib.request

import flask
import redis

app = flask.Flask(__name__)
cache = redis.Redis(host=os.environ.get("REDIS_HOST", "redis"), socket_timeout=3)
monster_url = os.environ.get("DNMONSTER_URL", "http://dnmonster:8080")

DEFAULT_NAME = "Joe Bloggs"
#: Mixed into the digest so that a picture's address does not give the name away.
SALT = os.environ.get("IDENTIDOCK_SALT", "UNIQUE_SALT")
NAME_LIMIT = 200


def picture_key(name):
    """The digest under which a name's picture is known, cached and drawn."""
    return hashlib.sha256((SALT + name).encode()).hexdigest()


@app.route("/", methods=["GET", "POST"])
def page():
    """The form, the monster of the name given, and the counters."""
    name = flask.request.values.get("name", DEFAULT_NAME).strip()[:NAME_LIMIT] or DEFAULT_NAME
    hits, misses = (int(value or 0) for value in cache.mget("hits", "misses"))
    return flask.render_template(
        "page.html", name=name, key=picture_key(name), hits=hits, misses=misses
    )


@app.route("/monster/<key>")
def picture(key):
    """The PNG for a key: out of Redis if it is there, else drawn by dnmonster and kept."""
    image = cache.get(f"monster:{key}")
    if image:
        cache.incr("hits")
        outcome = "hit"
    else:
        cache.incr("misses")
        outcome = "miss"
        address = f"{monster_url}/monster/{urllib.parse.quote(key, safe='')}?size=240"
        try:
            with urllib.request.urlopen(address, timeout=10) as response:
                image = response.read()
        except urllib.error.URLError as error:
            app.logger.warning("dnmonster: %s", error)
            return flask.Response("the monsters are asleep\n", status=502, mimetype="text/plain")
        cache.set(f"monster:{key}", image)
    app.logger.info("monster %s: cache %s", key[:12], outcome)
    return flask.Response(image, mimetype="image/png", headers={"X-Cache": outcome})


@app.route("/health")
def health():
    """200 when Redis answers; the health check asks here."""
    cache.ping()
    return {"status": "ok"}
