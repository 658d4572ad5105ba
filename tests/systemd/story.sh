#!/bin/bash
# Runs inside the booted container, as root. Each line of the log is a check: ok, or FAIL.
exec >/out/story.log 2>&1
set -u
unit=sattva-monitor.service
url=http://127.0.0.1:8080
config=/etc/sattva-monitor/sattva-monitor.toml
seq=0

ok() { echo "ok   $1"; }
fail() { echo "FAIL $1"; }
check() { local what=$1; shift; if "$@"; then ok "$what"; else fail "$what ($*)"; fi; }
# Waits for at most ten seconds, or as many as $PATIENCE says.
soon() {
    local what=$1; shift
    for _ in $(seq $((${PATIENCE:-10} * 10))); do
        if "$@" >/dev/null 2>&1; then ok "$what"; return; fi
        sleep 0.1
    done
    fail "$what ($*)"
}
property() { systemctl show -p "$1" --value "$unit"; }
pid() { property MainPID; }
says() { property StatusText | grep -q "$1"; }
ready() { curl -fs -m 2 -o /dev/null $url/readyz; }
is_ready_and_another() { [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ] && ready; }
report() { # nobody listens
    seq=$((seq + 1))
    curl -fs -m 5 $url/api/v1/ingest -d "{\"source\":\"radio\",\"reports\":[{\"channel_id\":\"jazz\",\"session\":\"s\",\"seq\":$seq,
        \"state\":\"live\",\"listeners\":0,\"joins\":0,\"interval_seconds\":600}]}" >/dev/null
}
timer() { curl -fs -m 5 $url/api/v1/streams/jazz/auto-end; }
field() { timer | grep -o "\"$1\":[^,}]*" | head -1 | cut -d: -f2- | tr -d '"'; }
deadline() { date -d "$(field ends_at)" +%s; }
near() { local a=$1 b=$2; [ $((a - b)) -le 2 ] && [ $((b - a)) -le 2 ]; }
keeps_the_deadline() { report && near "$(deadline)" "$ends"; }
sees_the_host() { [ "$(curl -fs -m 2 $url/api/stats | grep -o '"memory_percent":[0-9]*' | cut -d: -f2)" -gt 0 ]; }
timeout_is() { [ "$(field timeout_seconds)" = "$1" ]; }

# ---- installing ----
dpkg -i /packages/first.deb >/out/install.log 2>&1; check "the package installs" [ $? = 0 ]
check "it runs, and systemd had waited until it was ready" [ "$(property ActiveState)" = active ]
check "it answers at once" ready
check "it is enabled" systemctl is-enabled --quiet $unit
process=/proc/$(pid)
check "it is not root" [ "$(awk '/^Uid/ {print $2}' "$process/status")" != 0 ]
check "it has no capability" grep -q '^CapBnd:.0000000000000000' "$process/status"
check "its calls are filtered" grep -q '^Seccomp:.2' "$process/status"
check "it may open many files" grep -Eq 'Max open files +[0-9]{5}' "$process/limits"
soon "it sees the host's memory" sees_the_host
check "its state is its own" [ "$(stat -c %a /var/lib/private/sattva-monitor)" = 700 ]
check "the manual page is there" test -s /usr/share/man/man1/sattva-monitor.1.gz
check "the monitoring pack is there" test -s /usr/share/sattva-monitor/monitoring/prometheus/alerts.yml
check "and so are the runbooks that its alerts name" test -s /usr/share/doc/sattva-monitor/docs/runbooks/DaemonDown.md
check "bash completes it" test -s /usr/share/bash-completion/completions/sattva-monitor
exposure=$(systemd-analyze security --no-pager $unit 2>/dev/null | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
check "systemd-analyze security says at most 1.2 (it says $exposure)" awk "BEGIN {exit !($exposure <= 1.2)}"
complaints=$(systemd-analyze verify --man=no /usr/lib/systemd/system/sattva-monitor.* 2>&1 | grep sattva)
check "systemd-analyze verify says nothing" [ -z "$complaints" ]

# ---- a stream nobody hears ----
printf '\n[auto_end]\ntimeout = "1h"\n' > "$config"
systemctl restart $unit
check "a restart waits until it is ready" ready
check "a report is taken" report
ends=$(deadline)
check "it counts down" [ "$(field is_active)" = true ]
PATIENCE=15 soon "the status tells of it" says '1 stream, 0 listeners'

# ---- reloading ----
before=$(pid)
printf '\n[auto_end]\ntimeout = "2h"\n' > "$config"
systemctl reload $unit; check "a reload is accepted" [ $? = 0 ]
soon "the new timeout holds" timeout_is 7200.0
soon "the status says when" says 'configuration reloaded at'
check "the process is the same" [ "$(pid)" = "$before" ]
ends=$(deadline)
printf '\n[auto_end]\ntimout = "3h"\n' > "$config"
systemctl reload $unit 2>/dev/null; check "a broken file is refused where it is asked for" [ $? != 0 ]
check "systemctl status shows the key" bash -c "systemctl status --no-pager -l $unit | grep -q 'there is no setting .timout'"
kill -HUP "$(pid)"
soon "after a bare SIGHUP the status says why it was refused" says 'reload refused'
check "the journal says so" bash -c "journalctl -u $unit --no-pager | grep -q 'the new configuration is refused'"
check "with the priority of a warning or worse" bash -c "journalctl -u $unit --no-pager -p warning | grep -q 'the new configuration is refused'"
check "what is said in passing has another" bash -c "! journalctl -u $unit --no-pager -p warning | grep -q ': serving$'"
check "lines have fields" bash -c "journalctl -u $unit --no-pager -o json | grep -q '\"SATTVA_URL\"'"
check "nothing of it is applied" timeout_is 7200.0
check "the process is still the same" [ "$(pid)" = "$before" ]
check "the countdown is the same" near "$(deadline)" "$ends"
printf '\n[auto_end]\ntimeout = "2h"\n' > "$config"
systemctl reload $unit; soon "a mended file is applied" says 'configuration reloaded at'

# ---- dying ----
before=$(pid); kill -9 "$before"
soon "after kill -9 it is there again" is_ready_and_another "$before"
soon "and the countdown goes on where it was" keeps_the_deadline
before=$(pid); began=$(date +%s); kill -STOP "$before"
PATIENCE=25 soon "one that stands still is replaced" is_ready_and_another "$before"
took=$(($(date +%s) - began))
check "within the watchdog's time and 2 s (it took $took s)" [ "$took" -le 17 ]
soon "and the countdown goes on where it was" keeps_the_deadline
# By default systemd gives up after five.
for round in 1 2 3 4 5 6 7; do
    before=$(pid); kill -9 "$before"
    for _ in $(seq 100); do is_ready_and_another "$before" && break; sleep 0.1; done
done
check "killed seven times in a row it is there again" is_ready_and_another "$before"
before=$(pid); systemctl stop $unit
check "it stops cleanly" [ "$(property Result)" = success ]
check "and in time" bash -c "! journalctl -u $unit --no-pager | grep -q 'State .stop-sigterm. timed out'"

# ---- a socket that outlives it ----
systemctl enable --now sattva-monitor.socket 2>/dev/null; check "the socket is held by systemd" systemctl is-active --quiet sattva-monitor.socket
check "the first who asks starts it" ready
soon "with the countdown where it was" keeps_the_deadline
(
    while [ ! -e /out/asked-enough ]; do
        code=$(curl -s -m 20 -o /dev/null -w '%{http_code}' $url/healthz)
        echo "$code" >> /out/asked
    done
) &
asking=$!
for _ in 1 2 3; do
    enough=$(($(wc -l < /out/asked) + 11)); systemctl restart $unit
    for _ in $(seq 200); do [ "$(wc -l < /out/asked)" -ge $enough ] && break; sleep 0.1; done
done
touch /out/asked-enough; wait $asking
check "three restarts refuse nobody ($(wc -l < /out/asked) asked)" [ -z "$(grep -v 200 /out/asked)" ]
check "many had asked" [ "$(wc -l < /out/asked)" -gt 30 ]
systemctl disable --now sattva-monitor.socket 2>/dev/null; systemctl restart $unit

# ---- upgrading ----
soon "on its own port again" keeps_the_deadline
before=$(pid)
dpkg -i /packages/later.deb >>/out/install.log 2>&1; check "an upgrade installs" [ $? = 0 ]
soon "the new one runs" is_ready_and_another "$before"
check "the configuration is kept" grep -q 2h "$config"
soon "and so is the countdown" keeps_the_deadline

systemctl disable --now $unit 2>/dev/null
dpkg -i /packages/first.deb >>/out/install.log 2>&1
check "one that was switched off stays so" bash -c "! systemctl is-enabled --quiet $unit && ! systemctl is-active --quiet $unit"
systemctl enable --now $unit 2>/dev/null

# ---- drop-ins ----
# An Icecast that lets nobody in, and notes who asked.
printf '#!/bin/sh\nsed "/^\\r*$/q" >> /run/asked\nprintf "HTTP/1.1 401 No\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"\n' > /usr/local/bin/icecast.sh
chmod 755 /usr/local/bin/icecast.sh
systemd-run --quiet --unit=icecast systemd-socket-activate -l 127.0.0.1:8000 --accept --inetd /usr/local/bin/icecast.sh
for secret in icecast redis; do (umask 077; printf 'hackme\n' > /etc/sattva-monitor/$secret.password); done
mkdir -p /etc/systemd/system/$unit.d
cp /usr/share/doc/sattva-monitor/drop-ins/*.conf /etc/systemd/system/$unit.d/
cat > "$config" <<'C'
[http]
listen = "127.0.0.1:81"
[auto_end]
timeout = "2h"
[[icecast]]
name = "studio"
url = "http://127.0.0.1:8000"
password_file = "/run/credentials/sattva-monitor.service/icecast.password"
C
complaints=$(systemd-analyze verify --man=no $unit 2>&1 | grep sattva)
check "systemd-analyze verify says nothing of the drop-ins" [ -z "$complaints" ]
systemctl daemon-reload
systemctl restart $unit
check "with the drop-ins it has a port below 1024" curl -fs -m 2 -o /dev/null http://127.0.0.1:81/readyz
check "and still is not root" [ "$(awk '/^Uid/ {print $2}' "/proc/$(pid)/status")" != 0 ]
soon "and shows an Icecast the password that only root may read" grep -q "Basic $(printf admin:hackme | base64)" /run/asked
systemctl stop icecast.service
rm -r "/etc/systemd/system/$unit.d"
printf '\n[auto_end]\ntimeout = "2h"\n' > "$config"
systemctl daemon-reload
systemctl restart $unit
soon "without them it is as it was" keeps_the_deadline

# ---- removing ----
dpkg -r sattva-monitor >>/out/install.log 2>&1; check "it can be removed" [ $? = 0 ]
check "nothing runs any more" bash -c "! pgrep -x sattva-monitor"
check "its state is kept" test -s /var/lib/private/sattva-monitor/state.redb
dpkg -i /packages/first.deb >>/out/install.log 2>&1
soon "installed again it knows its countdown" keeps_the_deadline
dpkg --purge sattva-monitor >>/out/install.log 2>&1; check "it can be purged" [ $? = 0 ]
check "nothing is left" bash -c "! ls -d /var/lib/private/sattva-monitor /etc/sattva-monitor /usr/bin/sattva-monitor 2>/dev/null"

# ---- on a machine that wants to start services itself ----
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
dpkg -i /packages/first.deb >>/out/install.log 2>&1
check "policy-rc.d is asked before it starts" bash -c "systemctl is-enabled --quiet $unit && ! systemctl is-active --quiet $unit"
dpkg --purge sattva-monitor >>/out/install.log 2>&1
check "nothing is enabled any more" bash -c "! find /etc/systemd/system -name 'sattva-monitor*' | grep -q ."

journalctl -u $unit --no-pager -o cat > /out/journal.log 2>&1
echo "the end"
