#!/usr/bin/env bash
# The rules of config/monitoring/prometheus by themselves: they are sound, and each alert fires and is over when it should.
set -euo pipefail
cd "$(dirname "$0")/../tests/monitoring"
promtool check config ../../config/monitoring/prometheus/prometheus.yml
promtool test rules alerts_test.yml alerts_day_test.yml
