"""A real program that runs for a test and ends with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""What is waited for comes within this many seconds, on a busy machine too."""
FAREWELL = 20.0
"""A program that was asked to end does so within this."""


def free_port() -> int:
    with socket.socket() as socket_:
        socket_.bind(("127.0.0.1", 0))
        return int(socket_.getsockname()[1])


def eventually(what: str, look: Callable[[], Found | None], patience: float = PATIENCE) -> Found:
    """What `look` finds, once it is neither None nor False nor empty."""
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain for {what}"
        time.sleep(0.1)


def find(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert path, f"{name} is not installed: scripts/install.sh test installs it"
    return path


def get(url: str, **parameters: str) -> bytes:
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    with urllib.request.urlopen(url + query, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def get_json(url: str, **parameters: str) -> Any:
    return json.loads(get(url, **parameters))


def post_json(url: str, body: object) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or b"null")


def answers(url: str) -> bool:
    try:
        get(url)
    except OSError:
        return False
    return True


class Program:
    """One that runs, with its log in `house`."""

    def __init__(self, house: Path, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.name = Path(command[0]).name
        self.log = house / f"{self.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=house,
                env={"PATH": os.environ["PATH"], **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_it_answers(self, url: str) -> None:
        def look() -> bool:
            assert self.process.poll() is None, f"{self.name} ended:\n{self.log.read_text()}"
            return answers(url)

        eventually(f"{self.name} to answer at {url}", look)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
