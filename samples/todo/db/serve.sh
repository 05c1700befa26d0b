#!/bin/sh
# Makes the database at the first start, then serves it with the settings of the project's config.
set -e
password=/run/secrets/db_password
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username=todo --pwfile="$password" --auth-host=scram-sha-256 --auth-local=peer --encoding=UTF8 >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE todo" | postgres --single -j postgres >/dev/null
fi
exec postgres -c config_file=/etc/postgresql/settings.conf -c data_directory="$PGDATA" \
    -c hba_file="$PGDATA/pg_hba.conf" -c unix_socket_directories=/tmp
