#!/bin/sh
# Chooses how to serve by ENV, as the book does. `exec`, so that signals reach the server.
set -e

case "$ENV" in
DEV)
    echo "Running the development server"
    exec python3 -B -u -m flask --app identidock run --host 0.0.0.0 --port 5000 --reload --debugger
    ;;
PROD)
    echo "Running the production server"
    exec uwsgi --plugin python3 --http-socket 0.0.0.0:5000 --chdir /app --module identidock:app \
        --master --processes 2 --threads 4 --die-on-term --need-app --disable-logging
    ;;
*)
    echo "ENV is '$ENV': use DEV or PROD" >&2
    exit 64
    ;;
esac
