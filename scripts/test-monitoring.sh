#!/usr/bin/env bash
# The monitoring pack: its rules, its dashboard, and all of it with the real Prometheus and Alertmanager around the
# daemon that was built. Makes the environment it needs (once; it is kept in tests/monitoring/.venv).
# usage: test-monitoring.sh [PYTEST ARGUMENTS...]
set -euo pipefail
cd "$(dirname "$0")/../tests/monitoring"

mark=.venv/installed
if [ ! "$mark" -nt requirements.txt ]; then
    echo "installing what tests/monitoring/requirements.txt names into tests/monitoring/.venv (pip, once)"
    python3 -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    touch "$mark"
fi

sources=(. ../../config/monitoring/grafana)
echo "== ruff"
.venv/bin/ruff check --no-cache --config pyproject.toml "${sources[@]}"
.venv/bin/ruff format --no-cache --config pyproject.toml --check "${sources[@]}"
echo "== mypy"
.venv/bin/mypy --cache-dir .venv/mypy ./*.py ../../config/monitoring/grafana/dashboard.py
# The tests mostly wait, so several wait together; those around one Prometheus stay with it.
echo "== pytest"
exec .venv/bin/python -m pytest -n 6 --dist loadgroup "$@"
