#!/usr/bin/env bash
# Auto-end from the first report to the end of a stream, against any running daemon. It is its own streamer; real ones, with
# real listeners, are in tests/streamers/.
#   SATTVA_URL=http://127.0.0.1:8080 tests/smoke/test_auto_end.sh [--full]
# With a timeout over 90 s the end itself is only waited for with --full.
set -euo pipefail
exec python3 - "${SATTVA_URL:-http://127.0.0.1:8080}" "$@" <<'PY'
import base64, json, os, socket, struct, sys, threading, time, urllib.error, urllib.parse, urllib.request

url, full = sys.argv[1].rstrip("/"), "--full" in sys.argv[2:]
channel, source, passed = f"smoke-{os.getpid()}", f"smoke-{os.getpid()}", 0

def check(what, ok, detail=""):
    global passed
    if not ok:
        print(f"FAIL: {what} {detail}")
        sys.exit(1)
    passed += 1
    print(f"ok: {what}")

def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        print(f"FAIL: {method} {path}: {error.code} {error.read().decode()}")
        sys.exit(1)
    except OSError as error:
        print(f"FAIL: no daemon answers at {url} ({error}); start one, or set SATTVA_URL")
        sys.exit(1)

heard = []

def listen(host, port):
    """A WebSocket client in a few lines: the server's frames are unmasked and whole."""
    sock = socket.create_connection((host, port), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(f"GET /ws/stats?channels={channel} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    stream = sock.makefile("rb")
    status = stream.readline()
    while stream.readline() not in (b"\r\n", b""):
        pass
    sock.settimeout(None)
    def read():
        while head := stream.read(2):
            length = head[1] & 0x7F
            if length == 126:
                length = struct.unpack(">H", stream.read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", stream.read(8))[0]
            payload = stream.read(length)
            if head[0] & 0x0F == 1:
                heard.append(json.loads(payload))
    threading.Thread(target=read, daemon=True).start()
    return status

seq = 0

def report(listeners, state="live", acks=(), session="s1"):
    global seq
    seq += 1
    body = {"channel_id": channel, "session": session, "seq": seq, "state": state, "listeners": listeners, "joins": joins, "interval_seconds": 2}
    return call("POST", "/api/v1/ingest", {"source": source, "reports": [body], "acks": list(acks)})

def event(name):
    return next((m for m in heard if m["type"] == "auto_end" and m["data"]["event"] == name), None)

def until(what, limit, look, every=0.5):
    began = time.time()
    while time.time() - began < limit:
        if found := look():
            check(what, True)
            return found
        time.sleep(every)
    check(what, False, f"within {limit:.0f} s; heard {[m['data'].get('event', m['type']) for m in heard]}")

at = urllib.parse.urlsplit(url)
check("the daemon is ready", call("GET", "/readyz")["status"] in ("ready", "degraded"))
check("the WebSocket opens", b"101" in listen(at.hostname, at.port or 80))
until("the first message is a snapshot", 10, lambda: heard and heard[0]["type"] == "snapshot")
joins = 1
check("a report with a listener is taken in", report(1)["accepted"] == 1)
timer = call("GET", f"/api/v1/streams/{channel}/auto-end")
check("nothing counts down while somebody listens", not timer["is_active"])
timeout = timer["policy"]["timeout_seconds"]
report(0)
until("the countdown starts when the last listener leaves", 10, lambda: event("started"))
check("the timer says so, too", call("GET", f"/api/v1/streams/{channel}/auto-end")["is_active"])
joins = 2
report(1)
until("a listener who comes back cancels it", 10, lambda: event("cancelled"))
heard.clear()
began = time.time()
report(0)
until("it starts anew, in full", 10, lambda: event("started"))
if timeout > 90 and not full:
    call("POST", f"/api/v1/streams/{channel}/auto-end/extend", {"seconds": 60})
    until("an operator extends it", 10, lambda: event("extended"))
    call("POST", f"/api/v1/streams/{channel}/auto-end/cancel", {})
    until("an operator keeps it alive", 10, lambda: event("cancelled"))
    print(f"the end itself was not waited for: the timeout is {timeout:.0f} s (--full waits)")
    report(0, "stopped")
else:
    command = until("the stop command comes with the answer to a report", timeout + 20, lambda: report(0)["commands"])[0]
    check("it did not come early", time.time() - began >= timeout)
    warned = [m["data"]["seconds_remaining"] for m in heard if m["type"] == "auto_end_warning"]
    expected = [w for w in timer["policy"]["warning_seconds"] if w < timeout]
    expected = sorted(expected, reverse=True)
    check(f"the warnings came: {warned}", warned[len(warned) - len(expected):] == expected, f"expected {expected}")
    check("it is bound to the session and guarded", command["session"] == "s1" and command["only_if"]["listeners_at_most"] == 0)
    report(0, "stopped", [{"id": command["id"], "outcome": "ok"}])
    until("the end is confirmed by seeing the stream gone", 10, lambda: event("ended"))
call("POST", f"/api/v1/streams/{channel}/forget", {})
print(f"PASS: {passed} checks")
PY
