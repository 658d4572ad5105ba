"""Waiting with an end to it.

`asyncio.wait_for` loses a cancellation that arrives together with the result (before Python 3.12), and waits for
work that ignores being cancelled. Neither may happen to a task in somebody else's program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Abandoned(Exception):
    """The work was cancelled by somebody else: no reason for the one who waits for it to end too."""


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to.

    Raises:
        asyncio.TimeoutError: it took longer than these seconds. It is cancelled and not waited for.
        Abandoned: it was cancelled, and we were not.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except BaseException:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise asyncio.TimeoutError(f"no answer within {seconds:g} s")
    if task.cancelled():
        # Its CancelledError would be taken for our own cancellation.
        raise Abandoned("the work was cancelled")
    return task.result()


def _abandon(task: asyncio.Future[Any]) -> None:
    # What it raises then is nobody's concern, and must not be reported as forgotten.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    task.cancel()


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Bell:
    """Wakes the one who waits for it, or the next one who will."""

    def __init__(self) -> None:
        """It has not rung."""
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wakes; must be called in the thread of the loop."""
        self._rung = True
        if self._waiter is not None:
            _set(self._waiter)

    async def wait(self, seconds: float) -> None:
        """Waits until it rings, but no longer than these seconds; then it is silent again."""
        if not self._rung:
            loop = asyncio.get_running_loop()
            waiter = self._waiter = loop.create_future()
            timer = loop.call_later(max(seconds, 0), _set, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._rung = False
