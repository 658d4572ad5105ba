#!/usr/bin/env bash
# Linters, types and tests of clients/python, against each pair of py-tgcalls and Telegram library that its users
# have. Makes the environments it needs (once; they are kept in clients/python/.venv-*).
# usage: test-python.sh [PAIR...], such as py-tgcalls-3.0.0-telethon; PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/../clients/python"

python=${PYTHON:-python3}
pairs=(
    py-tgcalls-3.0.0-telethon py-tgcalls-3.0.0-kurigram py-tgcalls-3.0.0-pyrofork
    py-tgcalls-2.3.3-telethon py-tgcalls-2.3.3-kurigram py-tgcalls-2.3.3-pyrofork
)
[ $# = 0 ] || pairs=("$@")

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "sattva-streamer needs Python 3.10 or newer and this is $("$python" --version)" >&2
    exit 1
}
command -v ffmpeg >/dev/null || { echo "the tests need ffmpeg: scripts/install.sh test installs it" >&2; exit 1; }

# uv shares what the environments have in common; without it each takes half a minute.
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=$PWD/.venv-uv/bin/uv
    if [ ! -x "$uv" ]; then
        "$python" -m venv --clear .venv-uv
        .venv-uv/bin/pip install --quiet --disable-pip-version-check uv || uv=
    fi
fi

environment() { # environment PAIR: makes it unless it is as it should be
    local pair=$1 venv=.venv-$1 mark rest version
    mark=$venv/installed
    [ ! "$mark" -nt pyproject.toml ] || [ ! "$mark" -nt requirements-test.txt ] || return 0
    rest=${pair#py-tgcalls-} version=${rest%%-*}
    echo "installing $pair into clients/python/$venv (once)"
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --clear --python "$python" "$venv"
        "$uv" pip install --quiet --python "$venv/bin/python" -e ".[${rest#*-}]" "py-tgcalls==$version" -r requirements-test.txt
    else
        "$python" -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check \
            -e ".[${rest#*-}]" "py-tgcalls==$version" -r requirements-test.txt
    fi
    touch "$mark"
}
for pair in "${pairs[@]}"; do environment "$pair"; done

# The Telegram libraries' own types are not looked at, so linters and types are the same everywhere.
first=.venv-${pairs[0]}/bin
echo "== ruff"
"$first/ruff" check .
"$first/ruff" format --check .
echo "== mypy"
"$first/mypy" --cache-dir "${first%/bin}/mypy"

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
check() { # check JOB: its output is shown in one piece when it is done
    local job=$1
    # What knows nothing of Telegram is the same everywhere.
    case $job in
        docs) set -- "${pairs[0]}" -rs tests/test_docs.py ;;
        daemon) set -- "${pairs[0]}" -rs tests/test_daemon.py ;;
        "${pairs[0]}") set -- "$job" tests --ignore tests/test_daemon.py --ignore tests/test_docs.py ;;
        # The random lives take long, and what they try is not the libraries.
        *) set -- "$job" tests/test_telegram.py tests/test_engine.py tests/test_listeners.py -k "not nobody_is_cut_off" ;;
    esac
    ".venv-$1/bin/python" -m pytest "${@:2}" >"$logs/$job" 2>&1 && touch "$logs/$job.passed"
}
# The tests mostly wait, so a few of them wait together; the longest begin first.
jobs=(daemon docs "${pairs[@]}")
together=5
for job in "${jobs[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$together" ]; do wait -n || true; done
    check "$job" &
done
wait
failed=()
for job in "${jobs[@]}"; do
    echo "== $job"
    if [ -e "$logs/$job.passed" ]; then tail -n 2 "$logs/$job"; else failed+=("$job") && cat "$logs/$job"; fi
done
[ ${#failed[@]} = 0 ] || { echo "FAILED: ${failed[*]}" >&2; exit 1; }
