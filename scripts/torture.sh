#!/usr/bin/env bash
# Three daemons on one Redis, killed, stopped, cut off and set to a wrong time again and again, for many seeds.
# usage: torture.sh RUNS [SEED [PARALLEL]]; RUNS=1 with a SEED plays that one again. tests/torture/ tells what is looked for.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || { echo "redis-server is missing: apt-get install redis-server" >&2; exit 1; }
export TORTURE_RUNS=${1:-200} TORTURE_SEED=${2:-} TORTURE_PARALLEL=${3:-4}
exec cargo test --locked --quiet --test torture -- --ignored --nocapture
