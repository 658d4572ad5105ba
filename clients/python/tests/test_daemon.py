"""Against the real daemon, where one has been built: `SATTVA_MONITOR`, else target/release or target/debug."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
CHANNEL = "-1000000000777"
PATIENCE = 30.0

CONFIG = """
[auto_end]
timeout = "3s"
warnings = ["2s", "1s"]
"""


def binary() -> Path:
    named = os.environ.get("SATTVA_MONITOR")
    found = [Path(named)] if named else [ROOT / "target" / kind / "sattva-monitor" for kind in ("release", "debug")]
    for path in found:
        if path.is_file():
            return path
    assert not named, f"SATTVA_MONITOR names {named}, which is not there"
    pytest.skip("the daemon has not been built: cargo build --release, or name it in SATTVA_MONITOR")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Daemon:
    """The daemon's process and its API."""

    def __init__(self, folder: Path) -> None:
        self.program = binary()
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        (folder / "monitor.toml").write_text(CONFIG)
        self.start()

    def start(self) -> None:
        listen = self.url.removeprefix("http://")
        arguments = ["serve", "--config", "monitor.toml", "--listen", listen, "--state-dir", "state"]
        self.process = subprocess.Popen(
            [self.program, *arguments], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait(lambda: self.ask("/healthz") is not None)

    def stop(self) -> None:
        # A request that it holds for a command would hold up its farewell, and the tests.
        self.process.kill()
        self.process.wait()

    def ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:
                text = answer.read()
        except OSError:
            return None
        try:
            return json.loads(text)
        except ValueError:
            return text

    def stream(self) -> dict[str, Any]:
        return self.ask(f"/api/v1/streams/{CHANNEL}") or {}

    def events(self) -> list[str]:
        explained = self.ask(f"/api/v1/streams/{CHANNEL}/explain") or {}
        return [decision["event"] for decision in explained.get("decisions", [])]


def wait(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    give_up = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.05)
    return seen


class Program:
    """A program that is told lines and tells lines."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as told:
            for line in told:
                self._lines.put(line)

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        return self._lines.get(timeout=PATIENCE)

    def hears(self, event: str) -> dict[str, Any]:
        while True:
            told: dict[str, Any] = json.loads(self.line())
            assert told["event"] != "error", told
            if told["event"] == event:
                return told

    def close(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.stop()


@pytest.fixture
def stand(daemon: Daemon) -> Iterator[Program]:
    stand = Program(str(HERE / "telegram_stand.py"), daemon.url)
    stand.hears("ready")
    yield stand
    stand.close()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_an_empty_voice_chat_is_warned_of_ended_and_seen_gone(daemon: Daemon, stand: Program) -> None:
    stand.say("play 777")
    playing = stand.hears("playing")
    assert len(playing["ffmpeg"]) == 1
    stand.say("join 1001")
    wait(lambda: daemon.stream().get("listeners") == 1)
    stand.say("leave 1001")
    wait(lambda: daemon.stream()["auto_end"]["phase"] == "counting")
    stand.say("join 1002")
    wait(lambda: daemon.stream().get("listeners") == 1)
    # Saved: longer than the timeout with a listener.
    time.sleep(4)
    assert alive(playing["ffmpeg"][0])
    stand.say("leave 1002")
    assert stand.hears("stopped")["ffmpeg"] == []
    assert not alive(playing["ffmpeg"][0])
    wait(lambda: daemon.stream().get("state") == "stopped")
    events = daemon.events()
    assert "cancelled" in events
    assert events[-4:] == ["warning", "warning", "stopping", "ended"]


def test_one_who_sneaks_in_at_the_last_moment_is_not_cut_off(daemon: Daemon, stand: Program) -> None:
    stand.say("play 777")
    playing = stand.hears("playing")
    wait(lambda: daemon.stream()["auto_end"]["phase"] == "counting" if daemon.stream() else False)
    wait(lambda: "warning" in daemon.events())
    stand.say("sneak 1001")
    wait(lambda: "stopping" in daemon.events())
    time.sleep(2)
    assert alive(playing["ffmpeg"][0])
    assert daemon.stream()["listeners"] == 1
    stand.say("leave 1001")
    assert stand.hears("stopped")["ffmpeg"] == []


def test_a_source_that_reconnects_is_a_new_session_each_time(daemon: Daemon, stand: Program) -> None:
    stand.say("restart 777")
    stand.hears("playing")
    first = wait(lambda: daemon.stream().get("session"))
    stand.hears("stopped")
    stand.hears("playing")
    second = wait(lambda: (s := daemon.stream()).get("session") not in {None, first} and s["session"])
    stand.say("join 1001")
    wait(lambda: daemon.stream().get("listeners") == 1)
    time.sleep(4)
    assert daemon.stream()["session"] == second
    assert daemon.stream()["state"] == "live"


def test_a_daemon_that_was_away_hears_everything_again(daemon: Daemon, stand: Program) -> None:
    stand.say("play 777")
    playing = stand.hears("playing")
    stand.say("join 1001")
    wait(lambda: daemon.stream().get("listeners") == 1)
    daemon.stop()
    stand.say("join 1002")
    time.sleep(2)
    daemon.start()
    wait(lambda: daemon.stream().get("listeners") == 2)
    assert alive(playing["ffmpeg"][0])


def test_the_plain_example_is_ended_when_nobody_listens(daemon: Daemon) -> None:
    radio = Program(str(HERE.parent / "examples" / "plain_asyncio.py"), daemon.url, CHANNEL)
    try:
        *_, host, port = radio.line().split()
        with socket.create_connection((host, int(port))):
            wait(lambda: daemon.stream().get("listeners") == 1)
            time.sleep(4)
            assert daemon.stream()["state"] == "live"
        assert radio.line() == f"ending {CHANNEL}: no_listeners\n"
        radio.process.wait(10)
        assert radio.process.returncode == 0
        wait(lambda: daemon.stream().get("state") == "stopped")
    finally:
        radio.close()
