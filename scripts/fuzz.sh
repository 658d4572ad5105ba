#!/usr/bin/env bash
# Fuzzes the parsers, one after the other on one core. usage: fuzz.sh [TARGET] [SECONDS]; all targets, 60 s each, without.
# fuzz/laws/ tells what must hold. What a run finds beside fuzz/corpus is kept in fuzz/grown for the next one; a finding
# is in fuzz/artifacts, and goes into fuzz/corpus with its mend.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=$(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2)
target=${1:-all} seconds=${2:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "$seconds is no number of seconds; usage: fuzz.sh [TARGET] [SECONDS]" >&2; exit 2; }
if [ "$target" != all ]; then
    grep -qx -- "$target" <<< "$targets" || { echo "there is no target $target; there are all, ${targets//$'\n'/, }" >&2; exit 2; }
    targets=$target
fi

# The largest input, in bytes, and what one run may hold, in MiB.
max_len=8192
rss=1024

cargo +nightly --version >/dev/null 2>&1 || {
    command -v rustup >/dev/null || { echo "fuzzing needs a nightly Rust: install Rust from https://rustup.rs" >&2; exit 1; }
    echo "installing a nightly Rust (a few minutes, once)"
    rustup toolchain install nightly --profile minimal
}
command -v cargo-fuzz >/dev/null || { echo "installing cargo-fuzz with cargo (a few minutes, once)"; cargo install --quiet --locked cargo-fuzz; }

export CARGO_TARGET_DIR=$PWD/fuzz/target
nice -n 19 cargo +nightly fuzz build
core=$(taskset -cp $$ | sed 's/.*[,: -]//')
found=0
table=$(printf '%-18s %8s %12s %9s' target seconds executions findings)
for target in $targets; do
    mkdir -p "fuzz/grown/$target" "fuzz/artifacts/$target"
    before=$(find "fuzz/artifacts/$target" -type f | wc -l)
    log=fuzz/grown/$target.log
    status=0
    taskset -c "$core" nice -n 19 "$CARGO_TARGET_DIR/$(rustc +nightly --print host-tuple)/release/$target" \
        -max_total_time="$seconds" -max_len=$max_len -rss_limit_mb=$rss -timeout=10 -print_final_stats=1 \
        -artifact_prefix="fuzz/artifacts/$target/" "fuzz/grown/$target" "fuzz/corpus/$target" 2> "$log" || status=$?
    findings=$(($(find "fuzz/artifacts/$target" -type f | wc -l) - before))
    # A run that ends badly without leaving an input is a finding too.
    [ $status = 0 ] || [ $findings -gt 0 ] || findings=1
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    lasted=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$log")
    table+=$'\n'$(printf '%-18s %8s %12s %9s' "$target" "${lasted:-cut}" "${executions:-?}" "$findings")
    echo "${table##*$'\n'}"
    if [ $findings -gt 0 ]; then
        found=1
        grep -aE 'panicked at|ERROR|SUMMARY|Test unit written' -A 2 "$log" >&2 || tail -n 20 "$log" >&2
    fi
done
echo
echo "$table"
exit $found
