"""Each program that a test starts ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from fake_telegram import FakeTelegram
from program import Program

Started = TypeVar("Started", bound=Program)


class Stage:
    """Whatever is started here is ended in the reverse."""

    def __init__(self, house: Path, ending: ExitStack) -> None:
        self.house = house
        self._ending = ending

    def start(self, program: Started) -> Started:
        self._ending.callback(program.end)
        return program

    def telegram(self) -> FakeTelegram:
        telegram = FakeTelegram()
        self._ending.callback(telegram.close)
        return telegram


def stage_in(house: Path) -> Iterator[Stage]:
    with ExitStack() as ending:
        yield Stage(house, ending)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from stage_in(tmp_path)


@pytest.fixture(scope="module")
def long_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    yield from stage_in(tmp_path_factory.mktemp("stage"))
