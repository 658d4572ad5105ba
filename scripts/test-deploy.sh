#!/usr/bin/env bash
# The container and proxy files by themselves: schema, mounts, users, `nginx -t`, `haproxy -c`. No Docker is needed.
set -euo pipefail
cd "$(dirname "$0")/../tests/deploy"
if [ ! .venv/installed -nt requirements.txt ]; then
    echo "installing what tests/deploy needs into tests/deploy/.venv (pip, once)"
    python3 -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    touch .venv/installed
fi
.venv/bin/ruff check --line-length 120 --select E,F,I,B,UP,SIM test_deploy.py
.venv/bin/ruff format --line-length 120 --check test_deploy.py
.venv/bin/mypy --strict --cache-dir .venv/mypy test_deploy.py
.venv/bin/python -m pytest --quiet -p no:cacheprovider
