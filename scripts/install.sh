#!/usr/bin/env bash
# Installs what is missing, and says what. usage: install.sh build|test
set -euo pipefail
what=${1:?build or test}

need() { # need COMMAND "what to do"
    command -v "$1" >/dev/null || { echo "sattva-monitor needs $1: $2" >&2; exit 1; }
}
need cargo "install Rust from https://rustup.rs"
need node "install Node.js 20.19 or newer from https://nodejs.org or your distribution"
need npm "it comes with Node.js"
need cc "install a C compiler: apt-get install build-essential"

[ "$what" = test ] || exit 0

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
package() { command -v "$1" >/dev/null || missing+=("$2"); }
package icecast2 icecast2
package ffmpeg ffmpeg
package ezstream ezstream
package curl curl
package python3 python3
package promtool prometheus
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing Debian packages for the tests: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

tool() { # tool COMMAND CRATE
    command -v "$1" >/dev/null && return
    echo "installing $2 with cargo (a few minutes, once)"
    cargo install --quiet --locked "$2"
}
tool cargo-nextest cargo-nextest
tool cargo-deny cargo-deny
