"""py-tgcalls, 2.3 and 3: what plays where, who we are there, and how to end it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pytgcalls.types import ChatUpdate, GroupCallParticipant, StreamEnded, UpdatedGroupCallParticipant

from ..patience import within
from ..report import State
from .server import peer_id

ENGINE_PATIENCE = 5.0
"""Seconds for the native engine to say what it plays."""
BUSY_PATIENCE = 3.0
"""Seconds to wait while the bot itself is playing or leaving in that chat."""
GONE_PATIENCE = 3.0
"""Seconds for a call to be gone after it was left."""
LOOK_EVERY = 0.05

Action = GroupCallParticipant.Action


class StillPlaying(Exception):
    """The stream did not end."""


class Engine:
    """One `PyTgCalls`."""

    def __init__(self, calls: Any) -> None:
        """The `PyTgCalls` may be started before or after."""
        self._calls = calls

    @property
    def client(self) -> Any:
        """The Telegram client below."""
        return self._calls.mtproto_client

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that everything runs in."""
        loop: asyncio.AbstractEventLoop = self._calls.loop
        return loop

    def on_update(self, handler: Callable[[Any, Any], Awaitable[None]]) -> None:
        """Calls the handler with every update. It must not raise: py-tgcalls would not call the others."""
        self._calls.on_update()(handler)

    async def playing(self) -> dict[int, State]:
        """What the native engine has in hand, by chat; private calls are left out.

        Raises:
            asyncio.TimeoutError: it does not answer.
        """

        async def ask() -> Any:
            return await self._calls.calls

        calls = await within(ENGINE_PATIENCE, ask())
        return {chat_id: _state(call.capture.name) for chat_id, call in calls.items() if chat_id < 0}

    def own_id(self, chat_id: int) -> int | None:
        """Ourselves in that chat: the peer of `join_as`, else the account; None while that is not known.

        With `join_as` the account itself may be there too, and is then a person who listens.
        """
        peer = self._calls.cache_user_peer.get(chat_id) or getattr(self._calls, "cache_peer", None)
        return peer_id(peer)

    def has_left(self, chat_id: int) -> bool:
        """py-tgcalls no longer knows as whom it is there."""
        return self._calls.cache_user_peer.get(chat_id) is None

    def is_connecting(self, chat_id: int) -> bool:
        """We are about to join and may not be in the server's count yet."""
        return chat_id in getattr(self._calls, "_wait_connect", ())

    def is_busy(self, chat_id: int) -> bool:
        """The bot is playing or leaving in that chat at this moment, and a stop would have to wait."""
        chats = getattr(getattr(self._calls, "_chat_lock", None), "_chat_lock", {})
        lock = getattr(chats.get(chat_id), "_lock", None)
        return isinstance(lock, asyncio.Lock) and lock.locked()

    async def until_idle(self, chat_id: int) -> None:
        """Waits until the bot itself is done with that chat.

        Raises:
            StillPlaying: it takes too long.
        """
        for _ in range(int(BUSY_PATIENCE / LOOK_EVERY)):
            if not self.is_busy(chat_id):
                return
            await asyncio.sleep(LOOK_EVERY)
        raise StillPlaying("the bot is starting or ending a stream in this chat")

    async def known_participants(self, chat_id: int) -> list[int]:
        """The user ids that py-tgcalls knows of; asking also keeps its cache of this chat from expiring."""
        return [participant.user_id for participant in await self._calls.get_participants(chat_id)]

    async def leave(self, chat_id: int) -> None:
        """Leaves the voice chat; the native engine ends what it plays there. Raises what py-tgcalls raises."""
        await self._calls.leave_call(chat_id)

    async def until_gone(self, chat_id: int) -> bool:
        """The native engine has let go of that chat."""
        for _ in range(int(GONE_PATIENCE / LOOK_EVERY)):
            if chat_id not in await self.playing():
                return True
            await asyncio.sleep(LOOK_EVERY)
        return False


def _state(capture: str) -> State:
    # What we send is captured; what we would record is played back.
    return {"ACTIVE": State.LIVE, "PAUSED": State.PAUSED}.get(capture, State.IDLE)


def is_about_somebody(update: Any) -> bool:
    """The update tells of a participant."""
    return isinstance(update, UpdatedGroupCallParticipant)


def is_about_the_call(update: Any) -> bool:
    """The update may tell that a stream began or ended."""
    return isinstance(update, (ChatUpdate, StreamEnded))
