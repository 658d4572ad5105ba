"""The whole pack around a daemon with simulated streams: figures arrive, alerts fire, Telegram is told."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import Stage, stage_in
from expressions import EXPRESSIONS, names_in
from fake_telegram import FakeTelegram
from program import Program, eventually, find, free_port, post_json
from stage import Alertmanager, Daemon, Prometheus, exposition, rules

# Warnings and stops within seconds, and one of everything that has series of its own.
CONFIG = """
[auto_end]
timeout = "8s"
warnings = ["2s"]

[[icecast]]
name = "studio"
url = "http://127.0.0.1:{icecast}"
password_file = "password"

[[webhook]]
name = "bot"
url = "http://127.0.0.1:{webhook}/"
secret_file = "secret"
"""

NAMED_BY_THE_SPECIFICATION = {
    # What promtool's lint says of a metric, and why it stays so. Empty: it says nothing.
}


@dataclass
class Pack:
    stage: Stage
    daemon: Daemon
    streams: Program
    prometheus: Prometheus
    alertmanager: Alertmanager
    telegram: FakeTelegram


def daemon_in(house: Path) -> Daemon:
    house.mkdir()
    (house / "password").write_text("hackme\n")
    (house / "secret").write_text("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" + "\n")
    (house / "secret").chmod(0o600)
    return Daemon(house, CONFIG.format(icecast=free_port(), webhook=free_port()))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    for stage in stage_in(tmp_path_factory.mktemp("pack")):
        telegram = stage.telegram()
        daemon = stage.start(daemon_in(stage.house / "daemon"))
        streams = stage.start(daemon.simulate(stage.house / "streams", 20, rate="6", seed="1"))
        soon = {"group_wait": "1s", "group_interval": "1s"}
        alertmanager = stage.start(Alertmanager(stage.house / "alertmanager", telegram, **soon))
        house = stage.house / "prometheus"
        prometheus = stage.start(Prometheus(house, [daemon.address], alertmanager.address, **{"for": "2s"}))
        prometheus.wait_for_targets()
        yield Pack(stage, daemon, streams, prometheus, alertmanager, telegram)


def test_every_metric_that_an_expression_names_is_scraped(pack: Pack) -> None:
    named = {name for expression in EXPRESSIONS.values() for name in names_in(expression)}
    recorded = {rule["record"] for rule in rules("recording.yml")}
    # Only there once something has ended.
    once = {"job:sattva_auto_end_events:last_ended_seconds"}
    eventually("the metrics", lambda: named - pack.prometheus.metrics() <= once)
    assert named & recorded


@pytest.mark.parametrize("rule", rules("recording.yml"), ids=lambda rule: str(rule["record"]))
def test_a_recording_rule_has_data(pack: Pack, rule: dict[str, str]) -> None:
    eventually("data", lambda: pack.prometheus.query(rule["expr"]) and pack.prometheus.query(rule["record"]))
