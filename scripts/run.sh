#!/usr/bin/env bash
# The daemon with simulated streams, until Ctrl-C. usage: run.sh ADDR:PORT STATE_DIR CHANNELS
set -euo pipefail
listen=$1 state_dir=$2 channels=$3
binary=${CARGO_TARGET_DIR:-target}/debug/sattva-monitor

# Whatever is there already must not be told of simulated streams.
if (exec 3<>"/dev/tcp/${listen%:*}/${listen##*:}") 2>/dev/null; then
    echo "something listens at $listen already; end it, or take another port: make run LISTEN=127.0.0.1:8081" >&2
    exit 1
fi
# A minute instead of five, so that there is something to see soon.
AUTO_END_TIMEOUT=${AUTO_END_TIMEOUT:-60} "$binary" serve --listen "$listen" --state-dir "$state_dir" &
daemon=$!
simulator=
stop() {
    trap - INT TERM
    [ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
    kill "$daemon" 2>/dev/null || true
    wait
    echo "stopped"
}
trap 'stop; exit 0' INT TERM
for _ in $(seq 100); do
    kill -0 "$daemon" 2>/dev/null || { wait "$daemon" || true; echo "the daemon did not start; see the line above" >&2; exit 1; }
    (exec 3<>"/dev/tcp/${listen%:*}/${listen##*:}") 2>/dev/null && break
    sleep 0.1
done
"$binary" simulate --url "http://$listen" --channels "$channels" --rate 4 --seed 1 &
simulator=$!
cat <<TEXT

  Sattva Monitor runs with $channels simulated streams; one that nobody hears is ended after ${AUTO_END_TIMEOUT:-60} s.

    dashboard   http://$listen/monitoring
    figures     http://$listen/metrics
    streams     http://$listen/api/v1/streams

  Ctrl-C stops it. Its state is kept in $state_dir.

TEXT
# Whichever ends first, or Ctrl-C.
wait -n "$daemon" "$simulator" || true
stop
exit 1
