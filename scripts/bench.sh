#!/usr/bin/env bash
# Measures the daemon and its peers: docs/benchmarks.md tells what and how.
# usage: bench.sh all [--quick] | ingest | channels | exposition | scrape | polling | history | fleet | scale | ready | service | soak | fanout | stuck
# `bench.sh COMMAND --help` tells the options.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh bench

peers=bench/peers
if [ ! "$peers/node_modules/.package-lock.json" -nt "$peers/package-lock.json" ]; then
    echo "installing Bun and ws, to compare with, into $peers (npm, once)" >&2
    npm ci --prefix "$peers" --no-audit --no-fund --silent
    touch "$peers/node_modules/.package-lock.json"
fi
case ${1:-} in
    all | fanout)
        if [ ! "$peers/.venv/installed" -nt "$peers/requirements.txt" ]; then
            echo "installing FastAPI and uvicorn, to compare with, into $peers (pip, once)" >&2
            python3 -m venv --clear "$peers/.venv"
            "$peers/.venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$peers/requirements.txt"
            touch "$peers/.venv/installed"
        fi
        ;;
esac
cargo build --release --locked -p sattva-monitor -p sattva-bench
case ${1:-} in
    all | exposition) cargo bench --locked --no-run --bench exposition ;;
esac
exec "${CARGO_TARGET_DIR:-target}/release/sattva-bench" "$@"
