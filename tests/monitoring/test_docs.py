"""What docs/monitoring.md tells a newcomer to paste, pasted: only ports and the place are others."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from conftest import Stage
from program import ROOT, Program, answers, eventually, free_port
from stage import DAEMON

PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")


def blocks(heading: str) -> list[str]:
    (part,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)


class Terminal(Program):
    """A shell with something pasted into it."""

    def __init__(self, house: Path, name: str, pasted: str) -> None:
        # The last program takes the shell's place, so that it ends when it is told to.
        *first, last = re.split(r"(?<!\\)\n", pasted.strip())
        script = house / f"{name}.sh"
        script.write_text("\n".join(["set -eu", *first, "exec " + last]))
        super().__init__(house, ["/bin/bash", str(script)], {"PYTHONUNBUFFERED": "1"})


@pytest.fixture
def ports() -> dict[str, str]:
    return {port: str(free_port()) for port in ("8080", "8081", "9090", "9093")}


def test_a_newcomer_gets_from_make_run_to_a_test_alert_by_pasting(stage: Stage, ports: dict[str, str]) -> None:
    def here(text: str) -> str:
        return re.sub(r"\b(?:8080|8081|9090|9093)\b", lambda port: ports[port[0]], text)

    for folder in ("config/monitoring", "tests/monitoring"):
        shutil.copytree(ROOT / folder, stage.house / folder, ignore=shutil.ignore_patterns(".venv", "grafana", "__*"))
    for file in (stage.house / "config/monitoring/prometheus/targets").iterdir():
        file.write_text(here(file.read_text()))

    install, run, telegram, alertmanager, prometheus, test = (here(block) for block in blocks("Try it"))
    assert "apt-get install" in install
    # What `make run` does, without the build.
    assert run == "make run\n"
    stage.start(Program(stage.house, [str(DAEMON), "serve", "--listen", f"127.0.0.1:{ports['8080']}"]))
    printed = stage.start(Terminal(stage.house, "telegram", telegram)).log
    stage.start(Terminal(stage.house, "alertmanager", alertmanager))
    stage.start(Terminal(stage.house, "prometheus", prometheus))
    ready = [f"http://127.0.0.1:{ports[port]}/-/ready" for port in ("9090", "9093")]
    eventually("both to be ready", lambda: all(map(answers, ready)))
    sent = Terminal(stage.house, "test", test)
    assert sent.process.wait(30) == 0, sent.log.read_text()
    (expected,) = re.findall(r"^```\n(--- to .*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    eventually("the message", lambda: expected in printed.read_text())


def test_the_russian_page_has_the_same_commands() -> None:
    russian = (ROOT / "docs/monitoring.ru.md").read_text(encoding="utf-8")

    def fenced(page: str) -> list[str]:
        return re.findall(r"^```(?:sh)?\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)

    assert fenced(russian) == fenced(PAGE)


def test_what_is_installed_is_what_the_repository_has() -> None:
    named = re.findall(r"config/monitoring/[\w./-]*\w", " ".join(blocks("Install")))
    assert {"config/monitoring/prometheus", "config/monitoring/alertmanager"} <= set(named)
    assert [name for name in named if not (ROOT / name).exists()] == []
    flags = "--storage.tsdb.retention.time=15d --storage.tsdb.retention.size=1GB"
    assert all(flags in part for part in (PAGE.split("## Install")[0], PAGE.split("## Install")[1]))
