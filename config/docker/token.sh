#!/bin/sh
# Makes a token for somebody who uses the daemon of docker-compose.yml: its digest goes into .secrets/tokens/tokens.toml, which the
# daemon reads, the token itself into .secrets/NAME.token.
# usage: token.sh NAME ROLE [OPTION…], as `sattva-monitor token create` has them: operator, viewer, streamer, metrics.
# SECRETS: another folder. SATTVA_MONITOR: a binary of this machine; without it the image's is used (`docker compose build monitor`).
set -eu
name=${1:?usage: token.sh NAME ROLE [OPTION…]}
role=${2:?usage: token.sh NAME ROLE [OPTION…]}
shift 2
secrets=${SECRETS:-$(cd "$(dirname "$0")/../.." && pwd)/.secrets}

refuse() { echo "token.sh: $1" >&2; exit 78; }
case $name in *[!A-Za-z0-9_-]*) refuse "the name becomes a file's: letters, digits, _ and -" ;; esac
token=$secrets/$name.token
[ ! -e "$token" ] || refuse "$token is there already; revoke that one first, and remove the file"

umask 077
# Nobody else comes into the folder; in it, the users of the containers read what is theirs.
mkdir -p "$secrets/tokens"
chmod 700 "$secrets"
chmod 755 "$secrets/tokens"
create() {
    if [ -n "${SATTVA_MONITOR:-}" ]; then
        "$SATTVA_MONITOR" token create --file "$secrets/tokens/tokens.toml" "$@"
    else
        docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$secrets/tokens:/tokens" \
            sattva-monitor token create --file /tokens/tokens.toml "$@"
    fi
}
trap 'rm -f "$token.new" "$token.said"' EXIT
if ! create --name "$name" --role "$role" "$@" >"$token.new" 2>"$token.said"; then
    cat "$token.said" >&2
    exit 1
fi
# Prometheus runs as nobody.
[ "$role" != metrics ] || chmod 644 "$token.new"
mv "$token.new" "$token"
echo "written: $token; a daemon that runs takes it with: docker compose kill --signal HUP monitor" >&2
