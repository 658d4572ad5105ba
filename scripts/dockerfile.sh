#!/usr/bin/env bash
# Runs what the first two stages of the Dockerfile run, without Docker, on a copy of the committed files: the page is
# built, then the daemon with the page in it. Not part of make test: it builds everything anew, which takes minutes.
# usage: dockerfile.sh [TARGET_DIR], to keep what cargo builds
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
git archive HEAD | tar -x -C "$house"
export CARGO_TARGET_DIR=${1:-$house/target}

# The commands themselves are read from the Dockerfile, stage by stage.
stage() { awk -v stage="$1" '/^FROM /{ on = ($0 ~ " AS " stage "$") } on && sub(/^RUN /, "")' "$here/Dockerfile"; }
run() { # run FOLDER COMMAND
    echo "== $2"
    (cd "$1" && bash -euc "$2")
}
stage page | while read -r command; do run "$house/frontend" "$command"; done
stage daemon | while read -r command; do
    command=${command//\/sattva-monitor target/$house\/sattva-monitor target}
    run "$house" "${command//target\/release/$CARGO_TARGET_DIR/release}"
done
"$house/sattva-monitor" --version
# In the container the first token comes from config/docker/token.sh.
mkdir "$house/tokens"
sed "s#/etc/sattva-monitor/tokens#$house/tokens#" "$house/config/docker/sattva-monitor.toml" > "$house/checked.toml"
"$house/sattva-monitor" token create --file "$house/tokens/tokens.toml" --name check --role viewer > /dev/null
"$house/sattva-monitor" check-config --config "$house/checked.toml"
du -h "$house/sattva-monitor" | cut -f1
