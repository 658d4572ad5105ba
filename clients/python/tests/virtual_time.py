"""Runs a story in virtual time: an hour of waiting takes as long as the work in it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from sattva_streamer.clock import Clock

T = TypeVar("T")

BEGINS_AT = 1_800_000_000.0
"""The wall clock when a story begins, seconds since the epoch."""


class _Selector(selectors.BaseSelector):
    """Where the loop would wait, time leaps."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if not ready:
            assert timeout is not None, "the story waits for something that never comes"
            self.elapsed += max(timeout, 0.0)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is the story's."""

    def __init__(self) -> None:
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.elapsed

    def pass_blocked(self, seconds: float) -> None:
        """The loop is blocked for so long: nothing runs, and time goes on."""
        self.virtual.elapsed += seconds


def loop() -> VirtualLoop:
    """The loop of the story that runs."""
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


def now() -> float:
    """Seconds since the story began."""
    return loop().time()


def clock(wall_is_ahead: Callable[[], float] = lambda: 0.0) -> Clock:
    """The story's clock, for a machine whose wall clock is ahead by so many seconds."""
    story = loop()
    return Clock(now=story.time, wall=lambda: BEGINS_AT + story.time() + wall_is_ahead())


def tell(story: Callable[[], Awaitable[T]]) -> T:
    """Runs a story to its end."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)

    async def told() -> T:
        return await story()

    try:
        return loop.run_until_complete(told())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
