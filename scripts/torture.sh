#!/usr/bin/env bash
# A night of search: random histories of the pure stream, storms around all actors, both in virtual time, then three daemons
# on one Redis, or one on a disk of its own, killed, stopped, cut off, without a disk and set to a wrong time again and again.
# usage: torture.sh RUNS [SEED [PARALLEL [HISTORIES [STORMS]]]]; with a SEED only the daemons: RUNS=1 plays that one again.
# actors/tests/laws/, actors/tests/house/storm.rs and tests/torture/ tell what is looked for.
set -euo pipefail
cd "$(dirname "$0")/.."
for needed in redis-server strace; do
    command -v "$needed" >/dev/null || { echo "$needed is missing: apt-get install $needed" >&2; exit 1; }
done
runs=${1:-200} seed=${2:-} parallel=${3:-4} histories=${4:-1000000} storms=${5:-10000}

if [ -z "$seed" ]; then
    # Half of them with one reporter, half with two or three.
    PROPTEST_CASES=$(((histories + 1) / 2)) cargo test --release --locked --quiet -p sattva-actors --test laws histories
    cargo test --release --locked --quiet -p sattva-actors --test house --no-run
    # Other seeds every night; each is told, so that STORM_FROM and STORM_SEEDS=1 play it again.
    from=$(date +%s)000 shards=$(nproc) waiting=()
    for ((shard = 0; shard < shards; shard++)); do
        first=$((storms * shard / shards)) next=$((storms * (shard + 1) / shards))
        # Panics belong to the story, and where they come from has been told.
        RUST_BACKTRACE=0 STORM_FROM=$((from + first)) STORM_SEEDS=$((next - first)) \
            cargo test --release --locked --quiet -p sattva-actors --test house storm -- --nocapture &
        waiting+=($!)
    done
    bad=0
    for pid in "${waiting[@]}"; do wait "$pid" || bad=1; done
    [ $bad = 0 ] || exit 1
fi
export TORTURE_RUNS=$runs TORTURE_SEED=$seed TORTURE_PARALLEL=$parallel
exec cargo test --locked --quiet --test torture -- --ignored --nocapture
