"""One voice chat that we play in, from the first look to the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from ..client import Client
from ..command import StopCommand
from ..guard import Evidence
from ..patience import Bell, within
from ..report import State
from .engine import Action, Engine, StillPlaying
from .listeners import ASK_EVERY, Listeners
from .server import CannotCount, Server

log = logging.getLogger("sattva_streamer")

SERVER_PATIENCE = 4.0
"""Seconds for Telegram to answer; less than what a guard waits for its count."""
REFRESH_EVERY = 60.0
"""Seconds between two looks at py-tgcalls' list of participants. Its cache expires after a quiet hour, and then
it drops updates; looking brings it back."""
JOINING_LOOK = 0.1
"""Seconds between two looks whether we have joined: before that the server may not count us yet."""
COUNT_TRIES = 3
"""Counts before a stop, where the bot gets in between."""


class Call:
    """Counts the listeners of one session and ends it on command."""

    def __init__(
        self,
        chat_id: int,
        *,
        client: Client,
        engine: Engine,
        server: Server,
        not_listeners: Collection[int],
        leave: Callable[[int], Awaitable[None]],
    ) -> None:
        """A stream began in that chat."""
        self.chat_id = chat_id
        self._clock = client.clock
        self._engine = engine
        self._server = server
        self._not_listeners = frozenset(not_listeners)
        self._leave = leave
        self._own: set[int] = set()
        self._listeners = Listeners((), self._clock.now())
        self._counting = asyncio.Lock()
        self._woken = Bell()
        self._unable: str | None = None
        self.stream = client.stream(chat_id, stop=self._stop, count=self._recount, look=self._look, interval=ASK_EVERY)
        server.forget(chat_id)
        self._who_are_we()

    def _who_are_we(self) -> None:
        # py-tgcalls forgets it as soon as it leaves, and we must not take our own LEFT for a listener's.
        own = self._engine.own_id(self.chat_id)
        if own is not None and not (self._own and self._engine.has_left(self.chat_id)):
            self._own = {own}
        self._listeners.own_are(self._own | self._not_listeners)

    def is_us(self, user: int) -> bool:
        """It is ourselves."""
        return user in self._own

    # -- what happens ----------------------------------------------------------------------------------

    def somebody(self, action: Any, user: int) -> None:
        """A participant's update."""
        now = self._clock.now()
        before = self._look()
        self._who_are_we()
        if action == Action.JOINED:
            self._listeners.joined(user, now)
        elif action in (Action.LEFT, Action.KICKED):
            self._listeners.left(user, now)
        else:
            self._listeners.seen(user, now)
        self._woken.ring()
        self._tell(before)

    def is_doing(self, state: State) -> None:
        """What the engine says of it."""
        self.stream.update(state=state)

    def ended(self) -> None:
        """It is gone from the engine."""
        self.stream.ended()
        self._server.forget(self.chat_id)

    def _look(self) -> Evidence:
        return self._listeners.evidence(self._clock.now())

    def _tell(self, before: Evidence) -> None:
        after = self._look()
        if (after.listeners, after.joins) != (before.listeners, before.joins):
            self.stream.touch()

    # -- counting --------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Keeps the count fresh for as long as the stream lasts."""
        refresh_at = self._clock.now()
        while not self.stream.is_over:
            now = self._clock.now()
            before = self._look()
            self._listeners.settle(now)
            self._tell(before)
            if self._engine.is_connecting(self.chat_id):
                await asyncio.sleep(JOINING_LOOK)
                continue
            if now >= refresh_at:
                refresh_at = now + REFRESH_EVERY
                await self._refresh()
            if self._listeners.must_ask(now):
                await self._count_quietly()
            wait = min(self._listeners.next_deadline(), refresh_at) - self._clock.now()
            await self._woken.wait(max(wait, 0.01))

    async def _refresh(self) -> None:
        try:
            users = await within(SERVER_PATIENCE, self._engine.known_participants(self.chat_id))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.debug("%s: no list of participants: %r", self.chat_id, error)
        else:
            self._listeners.were_there(users)

    async def _count_quietly(self) -> None:
        try:
            await self._count()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if self._unable is None:
                log.warning(
                    "%s: Telegram does not say how many listen, which counts as unknown: %r",
                    self.chat_id,
                    error,
                )
            self._unable = repr(error)
        else:
            if self._unable is not None:
                log.warning("%s: the listeners can be counted again", self.chat_id)
            self._unable = None

    async def _count(self) -> None:
        """Asks the server; what it says is then in `_listeners`."""
        async with self._counting:
            if self._engine.is_connecting(self.chat_id):
                self._listeners.count_failed(self._clock.now())
                raise CannotCount("still joining the voice chat")
            self._who_are_we()
            before = self._look()
            asked_at = self._clock.now()
            self._listeners.count_begins(asked_at)
            try:
                count = await within(
                    SERVER_PATIENCE,
                    self._server.count(self.chat_id, self._own, self._not_listeners - self._own),
                )
            except BaseException:
                self._listeners.count_failed(self._clock.now())
                raise
            self._listeners.counted(count, asked_at)
            after = self._look()
            if after != before:
                self.stream.touch()
            if count.listeners() is None:
                raise CannotCount(
                    "its numbers contradict each other"
                    if count.we_are_there
                    else "we are not among those in the voice chat"
                )

    # -- the last moment -------------------------------------------------------------------------------

    async def _recount(self) -> int | None:
        """A fresh count for the guard, taken while nothing of the bot's own is in the way of a stop."""
        for _ in range(COUNT_TRIES):
            await self._engine.until_idle(self.chat_id)
            self._listeners.settle(self._clock.now())
            await self._count()
            if not self._engine.is_busy(self.chat_id):
                break
        return self._look().listeners

    async def _stop(self, _: StopCommand) -> None:
        if self._engine.is_busy(self.chat_id):
            raise StillPlaying("the bot is starting or ending a stream in this chat")
        failure: Exception | None = None
        try:
            await self._leave(self.chat_id)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # What counts is whether it still plays.
            failure = error
        if not await self._engine.until_gone(self.chat_id):
            raise StillPlaying("left the voice chat, but the stream goes on") from failure
        if failure is not None:
            log.warning("%s: the stream has ended, but not smoothly: %r", self.chat_id, failure)
