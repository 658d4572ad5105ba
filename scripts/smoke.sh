#!/usr/bin/env bash
# Runs the smoke test against a daemon of its own, on a port of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked
dir=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$dir/config.toml" <<'TOML'
[auto_end]
timeout = 15
warnings = [10, 5, 2]
TOML
"${CARGO_TARGET_DIR:-target}/debug/sattva-monitor" serve --config "$dir/config.toml" --listen "127.0.0.1:$port" --state-dir "$dir/state" 2> "$dir/log" &
daemon=$!
cleanup() { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT
for _ in $(seq 100); do curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1 && break; sleep 0.1; done
if ! SATTVA_URL="http://127.0.0.1:$port" tests/smoke/test_auto_end.sh "$@"; then
    echo "the daemon's log:"; cat "$dir/log"
    exit 1
fi
