#!/usr/bin/env bash
# Which lines of actors/ the tests run: their own, and the stories of tests/it with the daemons that they start and kill.
# usage: coverage.sh [--html DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory frontend
scripts/install.sh test
rustup component list --installed 2>/dev/null | grep -q '^llvm-tools' || rustup component add llvm-tools
tools=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin

# Apart from what is not instrumented.
export CARGO_TARGET_DIR=$PWD/target/coverage
profiles=$CARGO_TARGET_DIR/profiles
rm -rf "$profiles"
mkdir -p "$profiles"
# A killed daemon writes nothing at its end, so each keeps its counters in the file itself (%c).
export RUSTFLAGS='-C instrument-coverage -C llvm-args=-runtime-counter-relocation' CARGO_INCREMENTAL=0
export LLVM_PROFILE_FILE="$profiles/%p-%m%c.profraw"
# What is instrumented is slow, and some stories want others to be in time: the figure is told all the same, and who failed.
failed=0
# The doctor of this story has no environment, so that its profile lies among what it should have left behind.
cargo nextest run --locked --no-fail-fast -p sattva-actors -p sattva-monitor \
    -E '(package(sattva-actors) | binary(it)) - test(the_doctor_leaves_nothing_behind)' || failed=1

objects=()
while read -r binary; do objects+=(-object "$binary"); done < <(
    cargo nextest list --locked -p sattva-actors -p sattva-monitor -E 'package(sattva-actors) | binary(it)' \
        --list-type binaries-only --message-format json 2>/dev/null |
        python3 -c 'import json, sys; [print(b["binary-path"]) for b in json.load(sys.stdin)["rust-binaries"].values()
                    if b["package-id"].split("#")[0].endswith("/actors") or b["binary-name"] == "it"]'
)
objects+=(-object "$CARGO_TARGET_DIR/debug/sattva-monitor")
find "$profiles" -name '*.profraw' > "$profiles/all"
"$tools/llvm-profdata" merge --sparse --failure-mode=all --input-files="$profiles/all" -o "$profiles/all.profdata"
rm -f "$profiles"/*.profraw
report=("$tools/llvm-cov" report)
[ "${1:-}" != --html ] || report=("$tools/llvm-cov" show --format=html --output-dir="${2:?where to}")
"${report[@]}" --instr-profile="$profiles/all.profdata" "${objects[@]:1}" --sources actors/src
exit $failed
