#!/usr/bin/env bash
# Boots a real systemd in a container, installs the package in it, and lives through what an administrator does with it.
# Needs root (systemd-nspawn); says so where it is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the unit says needs no root: at most 1.2 of 10, as systemd-analyze counts.
if command -v systemd-analyze >/dev/null; then
    systemd-analyze security --offline=true --threshold=12 --no-pager systemd/sattva-monitor.service >/dev/null || {
        echo "systemd/sattva-monitor.service is more exposed than 1.2:"
        systemd-analyze security --offline=true --no-pager systemd/sattva-monitor.service | grep '✗'
        exit 1
    }
fi

skip() { echo "SKIPPED: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "the systemd stories need root, to boot a container"
for command in systemd-nspawn mmdebstrap; do
    command -v "$command" >/dev/null || skip "the systemd stories need $command (Debian: systemd-container, mmdebstrap)"
done
# A container in a container without the right to mount cannot boot anything.
unshare --mount true 2>/dev/null || skip "this machine lets nobody mount, so no container can be booted"

BOOT_LIMIT=240
work=target/systemd
base=$work/base
root=$work/root
out=$PWD/$work/out
mkdir -p "$work" "$out"
if [ ! -e "$base/made" ]; then
    echo "making a small Debian to boot, once"
    rm -rf "$base"
    mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,procps,iproute2,curl bookworm "$base" \
        || skip "mmdebstrap could not make a small Debian here; see above"
    touch "$base/made"
fi

scripts/package.sh deb --debug-binary "$work/first.deb" >/dev/null
# The same once more, as a later version.
rm -rf "$work/later"
dpkg-deb -R "$work/first.deb" "$work/later"
sed -i 's/^Version: .*/&+later/' "$work/later/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/later" "$work/later.deb" >/dev/null

rm -rf "$root"
cp -a --reflink=auto "$base" "$root"
mkdir -p "$root/packages"
cp "$work/first.deb" "$work/later.deb" "$root/packages/"
install -m755 tests/systemd/story.sh "$root/story.sh"
cat > "$root/etc/systemd/system/story.service" <<'U'
[Unit]
After=basic.target dbus.socket systemd-journald.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
TimeoutStartSec=230
ExecStart=/story.sh
StandardOutput=journal
U
cat > "$root/etc/systemd/system/story.target" <<'U'
[Unit]
Requires=basic.target
Wants=story.service dbus.service
U
for unit in getty.target console-getty.service systemd-networkd.service systemd-resolved.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

rm -f "$out"/*
status=0
# In a network of its own, of which there is only loopback.
timeout -k 5 "$BOOT_LIMIT" systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe \
    --directory "$root" --bind="$out":/out --boot systemd.unit=story.target systemd.show_status=no \
    </dev/null >"$out/console.log" 2>&1 || status=$?
# What the container leaves in the tree of control groups.
for tree in unified systemd; do
    for leaf in payload supervisor; do
        [ ! -d "/sys/fs/cgroup/$tree/$leaf" ] || find "/sys/fs/cgroup/$tree/$leaf" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
done
if [ ! -e "$out/story.log" ]; then
    # The story had not begun: it is the machine that boots no container, not the daemon that failed.
    tail -40 "$out/console.log"
    skip "no container can be booted here (systemd-nspawn ended with $status); its last words are above"
fi
cat "$out/story.log"
passed=$(grep -c '^ok ' "$out/story.log" || true)
if [ "$status" != 0 ] || grep -q '^FAIL' "$out/story.log" || ! grep -q '^the end$' "$out/story.log"; then
    echo "the systemd stories failed (exit $status); the daemon's journal:"
    tail -60 "$out/journal.log" 2>/dev/null || true
    exit 1
fi
echo "$passed passed: systemd"
