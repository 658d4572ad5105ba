#!/usr/bin/env bash
# Measures the daemon and its peers: docs/benchmarks.md tells what and how.
# usage: bench.sh all [--quick] | ingest | channels | exposition | scrape | ready   [--help tells the options]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh build

peers=bench/peers
if [ ! "$peers/node_modules/.package-lock.json" -nt "$peers/package-lock.json" ]; then
    echo "installing Bun, to compare with, into $peers (npm, once)" >&2
    npm ci --prefix "$peers" --no-audit --no-fund --silent
    touch "$peers/node_modules/.package-lock.json"
fi
cargo build --release --locked -p sattva-monitor -p sattva-bench
case ${1:-} in
    all | exposition) cargo bench --locked --no-run --bench exposition ;;
esac
exec "${CARGO_TARGET_DIR:-target}/release/sattva-bench" "$@"
