#!/bin/bash
# Makes the database on the first start, then runs PostgreSQL. Environment, each but PGDATA also as NAME_FILE, the file that holds it:
#   POSTGRES_PASSWORD           the superuser's password; needed unless POSTGRES_HOST_AUTH_METHOD is trust
#   POSTGRES_USER               the superuser (postgres)
#   POSTGRES_DB                 the first database (as the user)
#   POSTGRES_INITDB_ARGS        more arguments for initdb
#   POSTGRES_HOST_AUTH_METHOD   for connections over the network (scram-sha-256)
#   PGDATA                      where the data lie
# Files of /docker-entrypoint-initdb.d run once, in the order of their names: *.sh (executed, or sourced where not executable), *.sql, *.sql.gz.
set -euo pipefail

die() { echo "error: $*" >&2; exit 1; }

# from_file NAME DEFAULT: sets NAME from NAME_FILE where that is set.
from_file() {
    local name=$1 file=${1}_FILE
    if [[ -n ${!file:-} ]]; then
        [[ -z ${!name:-} ]] || die "$name and $file are both set: set one"
        [[ -r ${!file} ]] || die "$file names ${!file}, which cannot be read"
        printf -v "$name" '%s' "$(<"${!file}")"
    fi
    printf -v "$name" '%s' "${!name:-$2}"
    unset "$file"
}

# run_sql FILE...: as the superuser in the first database, over the socket of the server that only this script sees.
run_sql() { psql --set ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"; }

# initialise DIRECTORY: a database with its user, its first database and all that the init files make.
initialise() {
    local directory=$1 file
    initdb --pgdata="$directory" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host="$POSTGRES_HOST_AUTH_METHOD" $POSTGRES_INITDB_ARGS
    echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >> "$directory/pg_hba.conf"
    pg_ctl --pgdata="$directory" --options="-c listen_addresses=''" --wait start
    if [[ $POSTGRES_DB != postgres ]]; then
        psql --set ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres --set name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name"'
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        echo "running $file"
        case $file in
            *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
            *.sql) run_sql --file="$file" ;;
            *.sql.gz) gunzip --stdout "$file" | run_sql ;;
            *) echo "left out: $file is neither .sh, .sql nor .sql.gz" ;;
        esac
    done
    pg_ctl --pgdata="$directory" --mode=fast --wait stop
}

# The database is made aside and moved into place as a whole: whatever stops the first start, the next one begins it anew or ends the move.
first_start() {
    local new=$PGDATA/.new ready=$PGDATA/.ready
    if [[ ! -d $ready ]]; then
        from_file POSTGRES_USER postgres
        from_file POSTGRES_PASSWORD ""
        from_file POSTGRES_DB "$POSTGRES_USER"
        from_file POSTGRES_INITDB_ARGS ""
        from_file POSTGRES_HOST_AUTH_METHOD scram-sha-256
        [[ -n $POSTGRES_PASSWORD || $POSTGRES_HOST_AUTH_METHOD == trust ]] ||
            die "POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is not set: the superuser needs a password"
        export POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB
        rm -rf "$new"
        PGDATA=$new initialise "$new"
        unset PGUSER PGDATABASE
        mv "$new" "$ready"
    fi
    find "$ready" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv --target-directory="$PGDATA" {} +
    mv "$ready/PG_VERSION" "$PGDATA/PG_VERSION"
    rmdir "$ready"
}

[[ ${1:-} == -* ]] && set -- postgres "$@"
if [[ ${1:-} == postgres ]]; then
    ((UID != 0)) || die "PostgreSQL does not run as root: run this image as user 999, or as one that owns $PGDATA"
    mkdir -p "$PGDATA" || die "$PGDATA cannot be made; mount a volume that user $UID may write to"
    chmod 0700 "$PGDATA" 2>/dev/null || [[ -w $PGDATA ]] || die "$PGDATA cannot be written; mount a volume that user $UID may write to"
    shopt -s nullglob
    [[ -s $PGDATA/PG_VERSION ]] || first_start
    unset POSTGRES_PASSWORD
fi
exec "$@"
