"""The whole pack around a daemon with simulated streams: figures arrive, alerts fire, Telegram is told."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import Stage, stage_in
from expressions import ALERTING, EXPRESSIONS, RECORDED, SHOWN, names_in, selectors_in
from fake_telegram import FakeTelegram
from program import eventually, find, free_port
from stage import Alertmanager, Daemon, Prometheus, exposition, rules

# One process for all of these: they look at the same programs.
pytestmark = pytest.mark.xdist_group("pack")

# Warnings and stops within seconds, one of everything that has series of its own, and one place for a session.
CONFIG = """
[auto_end]
timeout = "8s"
warnings = ["2s"]

[websocket]
max_sessions = 1

[[icecast]]
name = "studio"
url = "http://127.0.0.1:{icecast}"
password_file = "password"

[[webhook]]
name = "bot"
url = "http://127.0.0.1:{webhook}/"
secret_file = "secret"
"""

# Its streams are soon unknown once nobody reports.
OTHER_CONFIG = """
[ingest]
report_interval = "1s"
"""

NAMED_BY_THE_SPECIFICATION: dict[str, str] = {
    # What promtool's lint says of a metric, and why it stays so. Empty: it says nothing.
}

LATER = {
    # Alerts of which a part is only there once it has happened; alerts_test.yml makes each of them happen.
    "alert WebhookMissed": "an event is given up a day after the first try",
    "alert CertificateExpires": "these daemons speak plain HTTP; tests/it/tls.rs sees the metric",
    "alert NoActiveStreams": "an auto-end and a stream's end are looked for over a day; the rules have data below",
}


# These daemons speak plain HTTP; tests/it/tls.rs sees the metric of one that does not.
WITH_TLS = {"sattva_tls_certificate_expiry_timestamp_seconds"}


@dataclass
class Pack:
    stage: Stage
    daemon: Daemon
    other: Daemon
    prometheus: Prometheus
    telegram: FakeTelegram

    def wait_for_text(self, *parts: str) -> None:
        """A message with all of these in it."""

        def look() -> bool:
            return any(all(part in text for part in parts) for text in self.telegram.texts())

        eventually(f"a message with {parts}", look)


def daemon_in(house: Path) -> Daemon:
    house.mkdir()
    (house / "password").write_text("hackme\n")
    (house / "secret").write_text("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" + "\n")
    (house / "secret").chmod(0o600)
    return Daemon(house, CONFIG.format(icecast=free_port(), webhook=free_port()))


def dashboard_of(daemon: Daemon) -> socket.socket:
    """A session as a browser opens it."""
    host, port = daemon.address.split(":")
    session = socket.create_connection((host, int(port)), timeout=10)
    session.sendall(
        f"GET /ws/stats HTTP/1.1\r\nHost: {daemon.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return session


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    for stage in stage_in(tmp_path_factory.mktemp("pack")):
        telegram = stage.telegram()
        daemon = stage.start(daemon_in(stage.house / "daemon"))
        other = stage.start(Daemon(stage.house / "other", OTHER_CONFIG))
        stage.start(daemon.simulate(stage.house / "streams", 20, rate="6", seed="1"))
        soon = {"group_wait": "1s", "group_interval": "1s"}
        alertmanager = stage.start(Alertmanager(stage.house / "alertmanager", telegram, **soon))
        house = stage.house / "prometheus"
        targets = [daemon.address, other.address]
        prometheus = stage.start(Prometheus(house, targets, alertmanager.address, **{"for": "2s"}))
        prometheus.wait_for_targets()
        yield Pack(stage, daemon, other, prometheus, telegram)


@pytest.fixture(scope="module")
def turned_away(pack: Pack) -> Iterator[None]:
    """One has the only place, and another one finds none, again and again: something for the graphs of errors."""
    with dashboard_of(pack.daemon) as first:
        assert b" 101 " in first.recv(100)

        def refused() -> bool:
            with dashboard_of(pack.daemon) as second:
                assert b" 503 " in second.recv(100)
            return bool(pack.prometheus.query('rate(sattva_http_requests_total{status="503"}[1m]) > 0'))

        eventually("a rate of refusals", refused)
        yield


def test_every_metric_that_an_expression_names_is_scraped(pack: Pack) -> None:
    named = {name for expression in EXPRESSIONS.values() for name in names_in(expression)} - WITH_TLS
    assert {"sattva_active_streams", "job:sattva_active_streams:sum", "process_open_fds"} <= named
    eventually("the metrics", lambda: named <= pack.prometheus.metrics())


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.usefixtures("turned_away")
def test_what_a_panel_asks_has_an_answer(pack: Pack, name: str) -> None:
    eventually(f"data for {SHOWN[name]}", lambda: pack.prometheus.query(SHOWN[name]))


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.usefixtures("turned_away")
def test_a_recording_rule_has_data(pack: Pack, name: str) -> None:
    record = name.removeprefix("rule ")
    eventually(f"data for {record}", lambda: pack.prometheus.query(f"last_over_time({record}[5m])"))


@pytest.mark.parametrize("name", ALERTING)
@pytest.mark.usefixtures("turned_away")
def test_what_an_alert_looks_at_is_there(pack: Pack, name: str) -> None:
    """Nothing is wrong, so most alerts say nothing: but each series they compare exists."""
    pack.prometheus.query(ALERTING[name])
    selectors = selectors_in(ALERTING[name])
    assert selectors
    if name in LATER:
        return
    missing = set(selectors)

    def look() -> bool:
        missing.difference_update([one for one in missing if pack.prometheus.query(f"last_over_time({one}[5m])")])
        return not missing

    eventually(f"series of {missing}", look)


def test_a_refused_reload_is_told_and_its_end_too(pack: Pack) -> None:
    good = pack.daemon.config.read_text()
    pack.daemon.config.write_text(good + "\nnonsense = 1\n")
    pack.daemon.signal(signal.SIGHUP)
    pack.wait_for_text("🟡 ReloadFailed", f"{pack.daemon.address} refused its new configuration", "ReloadFailed.md")
    pack.daemon.config.write_text(good)
    pack.daemon.signal(signal.SIGHUP)
    pack.wait_for_text("✅ ReloadFailed is over", pack.daemon.address)


def test_streams_that_nobody_reports_any_more_are_told_by_name(pack: Pack) -> None:
    streamer = pack.stage.start(pack.other.simulate(pack.stage.house / "silent", 2, seed="7"))
    ours = f'sattva_stream_listeners{{instance="{pack.other.address}"}}'
    eventually("both streams", lambda: len(pack.prometheus.query(ours)) == 2)
    names = {series["metric"]["channel_id"] for series in pack.prometheus.query(ours)}
    # A crash: it tells nobody that its streams are over.
    streamer.kill()
    pack.wait_for_text("🟡 StreamsUnknown", "who hears 2 streams", *names)
    pack.stage.start(pack.other.simulate(pack.stage.house / "again", 2, seed="7"))
    pack.wait_for_text("✅ StreamsUnknown is over", pack.other.address)


def test_a_daemon_that_is_gone_is_told_and_its_return_too(pack: Pack) -> None:
    port = int(pack.other.address.split(":")[1])
    pack.other.kill()
    pack.wait_for_text("🔴 DaemonDown", f"{pack.other.address} does not answer")
    pack.stage.start(Daemon(pack.stage.house / "returned", OTHER_CONFIG, port))
    pack.wait_for_text("✅ DaemonDown is over", pack.other.address)


def test_what_cannot_be_reached_is_told_by_name(pack: Pack) -> None:
    pack.wait_for_text("🟡 DependencyFailing", "studio fails")


def test_lint_finds_no_fault_with_a_metrics_name_but_those_of_the_specification(pack: Pack) -> None:
    command = [find("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=exposition(pack.daemon), capture_output=True, text=True, timeout=30)
    said = {line for line in (done.stdout + done.stderr).splitlines() if line}
    assert said == NAMED_BY_THE_SPECIFICATION.keys()


def test_only_alerts_that_exist_are_excused() -> None:
    assert LATER.keys() <= ALERTING.keys()
    assert {f"rule {rule['record']}" for rule in rules("recording.yml")} == RECORDED.keys()
