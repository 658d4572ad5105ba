"""Hooks a bot's py-tgcalls up to the daemon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..client import Client
from ..clock import Clock
from ..patience import Bell
from ..stream import UNCHANGED, Unchanged
from ..track import Track
from ..transport import Transport
from .call import Call
from .engine import Engine, is_about_somebody, is_about_the_call
from .library import server_of
from .server import Server

log = logging.getLogger("sattva_streamer")

LOOK_EVERY = 1.0
"""Seconds between two looks at what the engine plays. Nothing tells that a stream began, so it is looked
for."""
SAID_MAX = 1000
"""Chats for which what `say` said is kept until their stream is seen."""


class TelegramMonitor:
    """Watches every voice chat that a `PyTgCalls` plays in.

    ```python
    monitor = TelegramMonitor(calls, "http://127.0.0.1:8080", source="my-bot")
    monitor.start()
    ```
    """

    def __init__(
        self,
        calls: Any,
        url: str,
        source: str,
        *,
        token: str | None = None,
        token_file: str | Path | None = None,
        not_listeners: Collection[int] = (),
        leave: Callable[[int], Awaitable[None]] | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
        server: Server | None = None,
    ) -> None:
        """What to watch, and whom to tell.

        Args:
            calls: the `PyTgCalls`, started or not.
            url: the daemon's address, such as `http://127.0.0.1:8080`.
            source: this bot's name. No two running programs may share one.
            token: sent as `Authorization: Bearer`.
            token_file: a file whose first line is the token.
            not_listeners: user ids that do not count as listeners: recorders, other bots. Whether they are
                there is asked each time; the account itself and `join_as` need not be named.
            leave: ends the stream of a chat in place of `calls.leave_call`, for a bot with a queue to clear.
            transport: carries the requests instead of HTTP.
            clock: tells the time instead of the system.
            server: counts instead of the Telegram client.

        Raises:
            ValueError: the address, the name or the token cannot be right.
            TypeError: the client below is not one of Telethon, kurigram or pyrofork.
        """
        self.client = Client(url, source, token=token, token_file=token_file, transport=transport, clock=clock)
        self._engine = Engine(calls)
        self._server = server or server_of(self._engine.client)
        self._not_listeners = frozenset(not_listeners)
        self._leave = leave or self._engine.leave
        self._calls: dict[int, Call] = {}
        self._watches: dict[int, asyncio.Task[None]] = {}
        self._said: dict[int, dict[str, Any]] = {}
        self._look_now = Bell()
        self._task: asyncio.Task[None] | None = None
        self._hears = False
        """py-tgcalls has our handler, and knows no way to take it back."""
        self._deaf = False

    def start(self) -> None:
        """Starts watching in the background; a second call changes nothing.

        It may be called before the loop runs, and must be called in its thread.
        """
        if self._task is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = self._engine.loop
        if not self._hears:
            self._hears = True
            self._engine.on_update(self._on_update)
        self.client.start(loop)
        self._task = loop.create_task(self._watch_forever(), name="sattva-telegram")

    async def close(self) -> None:
        """Says what is left to say, briefly, and stops watching. What still plays is not reported as over.

        It may be started again; what plays then is a new session.
        """
        if self._task is None:
            return
        try:
            await self._look_quietly()
            tasks = [self._task, *self._watches.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._task = None
            self._calls.clear()
            self._watches.clear()
            await self.client.close()

    def say(
        self,
        chat_id: int,
        *,
        track: Track | None | Unchanged = UNCHANGED,
        queue_size: int | None | Unchanged = UNCHANGED,
        queue_ops: Mapping[str, int] | Unchanged = UNCHANGED,
    ) -> None:
        """Tells what only the bot knows; none of it is needed. It may be said before the stream is seen.

        Args:
            chat_id: the chat, as py-tgcalls writes it.
            track: what is playing.
            queue_size: tracks that wait.
            queue_ops: this stream's totals per operation: add, remove, move, clear, skip, priority_add.
        """
        said = self._said.pop(chat_id, {})
        new = {"track": track, "queue_size": queue_size, "queue_ops": queue_ops}
        said.update((name, value) for name, value in new.items() if value is not UNCHANGED)
        call = self._calls.get(chat_id)
        if call is not None:
            call.stream.update(**said)
            return
        self._said[chat_id] = said
        while len(self._said) > SAID_MAX:
            del self._said[next(iter(self._said))]

    # -- the bot's loop --------------------------------------------------------------------------------

    async def _on_update(self, _: Any, update: Any) -> None:
        try:
            if is_about_somebody(update):
                call = self._calls.get(update.chat_id)
                if call is None:
                    self._hint()
                    return
                call.somebody(update.action, update.participant.user_id)
                if call.is_us(update.participant.user_id):
                    self._hint()
            elif is_about_the_call(update):
                self._hint()
        except Exception:
            log.exception("a mistake in sattva_streamer; the bot goes on")

    def _hint(self) -> None:
        self._look_now.ring()

    async def _watch_forever(self) -> None:
        while True:
            await self._look_quietly()
            await self._look_now.wait(LOOK_EVERY)

    async def _look_quietly(self) -> None:
        try:
            await self._look()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # What plays is not known, so nothing is said to have ended; the counts go on.
            if not self._deaf:
                log.warning("py-tgcalls does not say what it plays: %r", error)
            self._deaf = True
        else:
            self._deaf = False

    async def _look(self) -> None:
        playing = await self._engine.playing()
        for chat_id, call in list(self._calls.items()):
            if chat_id not in playing or call.stream.is_over:
                call.ended()
                del self._calls[chat_id]
                self._watches.pop(chat_id).cancel()
        for chat_id, state in playing.items():
            if chat_id not in self._calls:
                self._began(chat_id)
            self._calls[chat_id].is_doing(state)

    def _began(self, chat_id: int) -> None:
        call = Call(
            chat_id,
            client=self.client,
            engine=self._engine,
            server=self._server,
            not_listeners=self._not_listeners,
            leave=self._leave,
        )
        self._calls[chat_id] = call
        self._watches[chat_id] = asyncio.get_running_loop().create_task(
            self._watch(call), name=f"sattva-count{chat_id}"
        )
        said = self._said.pop(chat_id, None)
        if said:
            call.stream.update(**said)

    async def _watch(self, call: Call) -> None:
        while True:
            try:
                await call.watch()
            except Exception:
                log.exception("a mistake in sattva_streamer; the bot goes on")
                await asyncio.sleep(LOOK_EVERY)
            else:
                return
