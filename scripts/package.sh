#!/usr/bin/env bash
# Builds a package of the daemon into target/package. usage: package.sh deb|rpm|dist
# For the tests: package.sh deb --debug-binary FILE makes FILE, quickly, of a debug build.
# The tarball's binary is static (musl) and runs on any Linux of this architecture; the packages' uses the system's C library.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?deb, rpm or dist}
scripts/install.sh "package-$kind"
target=${CARGO_TARGET_DIR:-target}
out=target/package
mkdir -p "$out"
binary=$out/sattva-monitor
result=$out/
quick=()
if [ "${2:-}" = --debug-binary ]; then
    result=${3:?the file to make}
    quick=(--fast)
    cargo build --locked --bin sattva-monitor
    objcopy --strip-debug "$target/debug/sattva-monitor" "$binary"
elif [ "$kind" = dist ]; then
    musl=$(uname -m)-unknown-linux-musl
    make --no-print-directory frontend
    cargo build --locked --profile dist --target "$musl" --bin sattva-monitor
    install -m755 "$target/$musl/dist/sattva-monitor" "$binary"
else
    make --no-print-directory frontend
    cargo build --locked --profile dist --bin sattva-monitor
    install -m755 "$target/dist/sattva-monitor" "$binary"
fi

rm -rf "$out/man" "$out/share"
mkdir -p "$out/man" "$out/share"
"$binary" man --dir "$out/man"
gzip -9n "$out/man"/*
"$binary" completions bash > "$out/sattva-monitor.bash"
"$binary" completions zsh > "$out/_sattva-monitor"
"$binary" completions fish > "$out/sattva-monitor.fish"
# The monitoring pack, as it is in config/.
cp -r config/monitoring config/nginx config/sattva-monitor.schema.json "$out/share/"
find "$out/share" -name __pycache__ -prune -exec rm -rf {} +

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
case $kind in
    deb)
        [ "$result" != "$out/" ] || rm -f "$out"/*.deb
        cargo deb --no-build --no-strip "${quick[@]}" --profile dist --output "$result"
        ;;
    rpm)
        rm -f "$out"/*.rpm
        cargo generate-rpm --profile dist --output "$out/"
        ls -1 "$out"/*.rpm
        ;;
    dist)
        name=sattva-monitor-$version-$(uname -m)-linux
        rm -rf "${out:?}/$name"
        mkdir -p "$out/$name"
        cp "$binary" ./*.md LICENSE-MIT LICENSE-APACHE config/sattva-monitor.toml "$out/$name/"
        cp -r docs systemd "$out/share" "$out/$name/"
        cp -r "$out/man" "$out/sattva-monitor.bash" "$out/_sattva-monitor" "$out/sattva-monitor.fish" "$out/$name/"
        tar -C "$out" --owner 0 --group 0 --sort name -czf "$out/$name.tar.gz" "$name"
        ls -1 "$out/$name.tar.gz"
        ;;
    *) echo "package.sh: deb, rpm or dist" >&2; exit 2 ;;
esac
