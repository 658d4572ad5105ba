#!/usr/bin/env bash
# Installs what is missing, and says what. usage: install.sh build|bench|test|package-deb|package-rpm|package-dist
set -euo pipefail
what=${1:?build, bench or test}

need() { # need COMMAND "what to do"
    command -v "$1" >/dev/null || { echo "sattva-monitor needs $1: $2" >&2; exit 1; }
}
need cargo "install Rust from https://rustup.rs"
rust=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$(dirname "$0")/../Cargo.toml")
rustc --version | awk '{ print $2 }' | { read -r has; printf '%s\n' "$rust" "$has" | sort -CV; } || {
    echo "sattva-monitor needs Rust $rust or newer and this is $(rustc --version): rustup update" >&2
    exit 1
}
need node "install Node.js 20.19 or newer from https://nodejs.org"
need npm "it comes with Node.js"
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || {
    echo "sattva-monitor needs Node.js 20.19 or newer and this is $(node --version): see https://nodejs.org" >&2
    exit 1
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
package() { PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null || missing+=("$2"); }
# Some Rust crates link with the C compiler's help.
package cc gcc
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
if [ "$what" != build ]; then
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
fi
if [ "$what" = test ]; then
    package nginx nginx
    package haproxy haproxy
    package chromium chromium
    package icecast2 icecast2
    [ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || missing+=(libnginx-mod-rtmp)
    package janus janus
    package ffmpeg ffmpeg
    package ezstream ezstream
    package curl curl
    package python3 python3
    package promtool prometheus
    package prometheus-alertmanager prometheus-alertmanager
    package redis-server redis-server
    package strace strace
    package openssl openssl
    # To boot a systemd of our own; only root can.
    if [ "$(id -u)" = 0 ]; then
        package mmdebstrap mmdebstrap
        package systemd-nspawn systemd-container
    fi
fi
case $what in
    test | package-deb) package objcopy binutils; package dpkg-shlibdeps dpkg-dev ;;
    package-dist) package musl-gcc musl-tools ;;
esac
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "sattva-monitor needs the packages ${missing[*]}, or what they are called here" >&2; exit 1; }
    echo "installing Debian packages: ${missing[*]} (services among them are not needed: disable them if they start)"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

tool() { # tool COMMAND CRATE [OPTIONS OF CARGO INSTALL]
    command -v "$1" >/dev/null && return
    echo "installing $2 with cargo (a few minutes, once)"
    cargo install --quiet --locked "${@:3}" "$2"
}
case $what in
    # What it packs for the tests is small; it need not be fast.
    test) tool cargo-deb cargo-deb --debug ;;
    package-deb) tool cargo-deb cargo-deb ;;
    package-rpm) tool cargo-generate-rpm cargo-generate-rpm ;;
    package-dist)
        musl=$(uname -m)-unknown-linux-musl
        rustc --print target-libdir --target "$musl" 2>/dev/null | xargs -r test -d || rustup target add "$musl" || {
            echo "a static binary needs Rust's $musl: install Rust from https://rustup.rs, or the standard library of your distribution for it" >&2
            exit 1
        }
        ;;
esac
[ "$what" = test ] || exit 0

tool cargo-nextest cargo-nextest
tool cargo-deny cargo-deny

# WebSocket clients that nobody here wrote.
interop=tests/interop
if [ ! "$interop/node_modules/.package-lock.json" -nt "$interop/package-lock.json" ]; then
    echo "installing ws and playwright-core, to test with, into $interop (npm, once)"
    npm ci --prefix "$interop" --no-audit --no-fund --silent
    touch "$interop/node_modules/.package-lock.json"
fi
if [ ! "$interop/.venv/installed" -nt "$interop/requirements.txt" ]; then
    echo "installing websockets and standardwebhooks, to test with, into $interop (pip, once)"
    python3 -m venv --clear "$interop/.venv"
    "$interop/.venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$interop/requirements.txt"
    touch "$interop/.venv/installed"
fi
