#!/usr/bin/env bash
# Every test, each runner with its own summary; ends with all summaries together.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh test

summaries=$(mktemp)
trap 'rm -f "$summaries"' EXIT
step() { # step NAME COMMAND...
    local name=$1 log; shift
    log=$(mktemp)
    echo "== $name: $*"
    if ! "$@" > >(tee "$log") 2>&1; then
        echo "FAILED: $name"
        rm -f "$log"
        exit 1
    fi
    # The runner's own last word; tools that say nothing when all is well get a line of ours.
    { echo "== $name"; grep -aE 'Summary \[|[0-9]+ passed|^test result|Tests  |Test Files|^(PASS|FAIL|SKIPPED)|ok$|Checked ' "$log" | tail -n 4 || true; } >> "$summaries"
    rm -f "$log"
}

make --no-print-directory frontend
step rustfmt cargo fmt --all --check
step 'rustfmt of the fuzz targets' cargo fmt --manifest-path fuzz/Cargo.toml --check
step clippy cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo-deny cargo deny --log-level error check bans licenses sources
# The Python package's tests and the stories speak with the real daemon: this one, not what an earlier build left.
export SATTVA_MONITOR=${CARGO_TARGET_DIR:-$PWD/target}/debug/sattva-monitor
step daemon cargo build --workspace --bins --locked --quiet
step python scripts/test-python.sh
step nextest cargo nextest run --workspace --locked --no-fail-fast
step monitoring scripts/test-monitoring.sh
step doctests cargo test --workspace --doc --locked --quiet
step biome npm --prefix frontend run --silent lint
step typescript npm --prefix frontend run --silent check
step vitest npm --prefix frontend run --silent test
# In Chromium, on the daemon that was built above, with the page built into it.
step browser npm --prefix frontend run --silent test:browser
step smoke scripts/smoke.sh
step deploy scripts/test-deploy.sh
step systemd scripts/test-systemd.sh

echo
echo "==== all tests passed; the runners' own summaries:"
cat "$summaries"
