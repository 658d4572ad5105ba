"""The pages say what is so: commands and snippets are run, and links lead somewhere."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pytgcalls import PyTgCalls

from telegram_stand import memory_client
from test_daemon import ROOT, Daemon
from voice_chats import Telegram

PAGES = ROOT / "docs" / "streamers"
CURL = PAGES / "curl.md"


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("AUTO_END_TIMEOUT", "12")
    monkeypatch.setattr("test_daemon.CONFIG", "")
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.stop()


def steps() -> list[tuple[str, str]]:
    """Each command of the page and what it shows."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", CURL.read_text(), re.DOTALL | re.MULTILINE)
    return [(text, shown) for (kind, text), (next_kind, shown) in pairwise(blocks) if (kind, next_kind) == ("", "json")]


def shape(value: Any, name: str = "") -> Any:
    """What must be the same each time."""
    if isinstance(value, dict):
        return {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if name in {"id", "request_id", "session", "started_at", "evidence_age_seconds", "valid_for_seconds"}:
        return type(value).__name__
    return value


def test_every_command_of_the_curl_page_answers_as_it_says(daemon: Daemon, tmp_path: Path) -> None:
    found = steps()
    assert len(found) >= 8
    for command, shown in found:
        script = command.replace("http://127.0.0.1:8080", daemon.url).replace("/tmp/", f"{tmp_path}/")
        ran = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=True)
        answers = [shape(json.loads(line)) for line in ran.stdout.splitlines() if line]
        assert answers == [shape(json.loads(line)) for line in shown.splitlines() if line], command


README = ROOT / "clients" / "python" / "README.md"


def snippets(page: Path) -> list[str]:
    """The page's pieces of Python."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


PROGRAMS = [text for page in (README, PAGES / "asyncio.md") for text in snippets(page) if "asyncio.run" in text]
BOTS = [text for page in (README, PAGES / "telegram.md") for text in snippets(page) if "calls" in text]


def test_every_snippet_is_tried() -> None:
    pages = [README, *PAGES.glob("*.md")]
    assert sorted(PROGRAMS + BOTS) == sorted(text for page in pages for text in snippets(page))
    assert PROGRAMS
    assert BOTS


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_that_was_pasted_runs_until_the_daemon_ends_it(program: str, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    try:
        script = program.replace("http://127.0.0.1:8080", daemon.url)
        subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)
    finally:
        daemon.stop()


@pytest.mark.parametrize("lines", BOTS, ids=range(len(BOTS)))
def test_lines_that_were_pasted_into_a_bot_run(lines: str) -> None:
    async def bot() -> None:
        scope: dict[str, Any] = {"calls": PyTgCalls(memory_client(Telegram()))}
        exec(lines, scope)
        await scope["monitor"].close()

    asyncio.run(bot())


def test_the_example_of_a_bot_closes_its_monitor() -> None:
    example = (ROOT / "clients/python/examples/telethon_bot.py").read_text()
    assert "finally:\n        await monitor.close()" in example


@pytest.mark.parametrize("page", [*sorted(PAGES.glob("*.md")), README], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_pages_name_what_there_is() -> None:
    source = "".join(path.read_text() for path in (ROOT / "clients/python/src").rglob("*.py"))
    for phrase in (
        "reports do not reach the daemon at",
        "another program reports under this name",
        "the daemon knows a session that began later",
        "the daemon cannot take this report",
        "this report cannot be written",
        "a stop of a session that this program never had",
        "the account does not know the user",
        "the listeners cannot be counted",
        "Telegram does not say how many listen",
    ):
        assert phrase in source, phrase
        assert any(phrase in page.read_text() for page in PAGES.glob("*.md")), phrase
