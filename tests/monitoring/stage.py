"""The shipped files, set up as they are installed: only places and times are this machine's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from fake_telegram import FakeTelegram
from program import ROOT, Program, eventually, find, free_port, get, get_json

MONITORING = ROOT / "config/monitoring"
DAEMON = Path(os.environ.get("SATTVA_MONITOR", ROOT / "target/debug/sattva-monitor"))
TOKEN = "123456:test-Token_1"
CHAT = -1001234567890


def hurried(text: str, **times: str) -> str:
    """The same configuration with other times: `scrape_interval="1s"`."""
    for name, time in times.items():
        text, changed = re.subn(rf"^( *(?:- )?{name}:) \d+[smh]$", rf"\1 {time}", text, flags=re.MULTILINE)
        assert changed, f"there is no {name} to hurry"
    return text


class Daemon(Program):
    def __init__(self, house: Path, config: str, port: int | None = None) -> None:
        assert DAEMON.exists(), f"{DAEMON} is missing: run `cargo build`"
        house.mkdir(exist_ok=True)
        self.config = house / "config.toml"
        self.config.write_text(config)
        self.address = f"127.0.0.1:{port or free_port()}"
        self.url = f"http://{self.address}"
        command = [str(DAEMON), "serve", "--config", "config.toml", "--listen", self.address, "--state-dir", "state"]
        super().__init__(house, command)
        self.wait_until_it_answers(self.url + "/readyz")

    def simulate(self, house: Path, channels: int, **options: str) -> Program:
        house.mkdir(exist_ok=True)
        more = [text for option, value in options.items() for text in (f"--{option}", value)]
        return Program(house, [str(DAEMON), "simulate", "--url", self.url, "--channels", str(channels), *more])


class Alertmanager(Program):
    """With the file that render.sh wrote."""

    def __init__(self, house: Path, telegram: FakeTelegram, language: str = "en", **times: str) -> None:
        house.mkdir(exist_ok=True)
        self.config = house / "alertmanager.yml"
        if not self.config.exists():
            render(self.config, TELEGRAM_API_URL=telegram.url, ALERT_LANGUAGE=language)
            self.config.write_text(hurried(self.config.read_text(), **times))
        self.house = house
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.begin()

    def begin(self) -> None:
        command = [find("prometheus-alertmanager"), "--config.file=alertmanager.yml", "--storage.path=data"]
        # Alone: another one is not looked for.
        command += [f"--web.listen-address={self.address}", "--cluster.listen-address="]
        super().__init__(self.house, command)
        self.wait_until_it_answers(self.url + "/-/ready")


def render(file: Path, template: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """As render.sh does, from the shipped alertmanager.yml or from a changed one."""
    source = MONITORING / "alertmanager"
    if template is not None:
        source = Path(shutil.copytree(source, file.parent / "templates"))
        (source / "alertmanager.yml").write_text(template)
    secrets = {"TELEGRAM_BOT_TOKEN": TOKEN, "ADMIN_CHAT_ID": str(CHAT), "PATH": "/usr/bin:/bin"}
    command = [str(source / "render.sh"), str(file)]
    return subprocess.run(command, env=secrets | environment, capture_output=True, text=True)


class Prometheus(Program):
    def __init__(self, house: Path, daemons: list[str], alertmanager: str, **times: str) -> None:
        house.mkdir()
        self.house = house
        config = house / "etc"
        shutil.copytree(MONITORING / "prometheus", config)
        main = config / "prometheus.yml"
        main.write_text(hurried(main.read_text(), scrape_interval="1s", scrape_timeout="1s", evaluation_interval="1s"))
        alerts = config / "alerts.yml"
        alerts.write_text(hurried(alerts.read_text(), **times) if times else alerts.read_text())
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        for job, targets in (
            ("sattva-monitor", daemons),
            ("alertmanager", [alertmanager]),
            ("prometheus", [self.address]),
        ):
            (config / f"targets/{job}.yml").write_text(yaml.safe_dump([{"targets": targets}]))
        command = [find("prometheus"), "--config.file=etc/prometheus.yml", "--storage.tsdb.path=data"]
        command += ["--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=1GB"]
        super().__init__(house, [*command, f"--web.listen-address={self.address}"])
        self.wait_until_it_answers(self.url + "/-/ready")

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = get_json(self.url + "/api/v1/query", query=expression)
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def firing(self) -> set[str]:
        return {series["metric"]["alertname"] for series in self.query('ALERTS{alertstate="firing"}')}

    def metrics(self) -> set[str]:
        return set(get_json(self.url + "/api/v1/label/__name__/values")["data"])

    def wait_for_targets(self) -> None:
        def up() -> bool:
            return {series["metric"]["job"] for series in self.query("up == 1")} >= {
                "sattva-monitor",
                "alertmanager",
                "prometheus",
            }

        eventually("all targets to be up", up)


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "prometheus" / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def exposition(daemon: Daemon) -> str:
    return get(daemon.url + "/metrics").decode()
