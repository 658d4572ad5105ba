"""Counting with kurigram or pyrofork: both are the package `pyrogram`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from pyrogram.errors import BadRequest
from pyrogram.raw import functions, types

from .listeners import ServerCount
from .server import CannotCount, present_of, read_count
from .strangers import Strangers

GIVES_UP_AFTER = 3.5
"""Seconds for all requests of a count, less than what `Call` waits. The library forgets a request only when it
gives it up itself: one that is cancelled stays in its table for ever."""
RETRY_AFTER = 0.5
"""Seconds that pyrofork waits before its one retry."""


class PyrogramServer:
    """See `Server`."""

    def __init__(self, client: Any) -> None:
        """The client is already connected, or will be."""
        self._client = client
        self._calls: dict[int, Any] = {}
        self._strangers = Strangers()

    async def count(self, chat_id: int, own: Collection[int], not_listeners: Collection[int]) -> ServerCount:
        """See `Server.count`."""
        until = asyncio.get_running_loop().time() + GIVES_UP_AFTER
        call = self._calls.get(chat_id)
        if call is None:
            call = self._calls[chat_id] = await self._call(chat_id, until)
        try:
            peers = await self._peers(own, not_listeners)
            before = await self._present(call, peers, until)
            answer = await self._ask(functions.phone.GetGroupCall(call=call, limit=1), until)
            # Counted only if there before and after: otherwise a listener may have taken that place.
            present = before & await self._present(call, peers, until)
            return read_count(answer, own, not_listeners, present)
        except BaseException:
            self.forget(chat_id)
            raise

    def forget(self, chat_id: int) -> None:
        """See `Server.forget`."""
        self._calls.pop(chat_id, None)

    async def _ask(self, request: Any, until: float) -> Any:
        left = until - asyncio.get_running_loop().time()
        timeout = (left - RETRY_AFTER) / 2
        if timeout <= 0:
            raise asyncio.TimeoutError("Telegram answers too slowly")
        # 1 is two tries for pyrofork and one for kurigram; 0 would be none at all for kurigram.
        return await self._client.invoke(request, retries=1, timeout=timeout, sleep_threshold=0)

    async def _call(self, chat_id: int, until: float) -> Any:
        peer = await self._client.resolve_peer(chat_id)
        if isinstance(peer, types.InputPeerChannel):
            channel = types.InputChannel(channel_id=peer.channel_id, access_hash=peer.access_hash)
            full = await self._ask(functions.channels.GetFullChannel(channel=channel), until)
        elif isinstance(peer, types.InputPeerChat):
            full = await self._ask(functions.messages.GetFullChat(chat_id=peer.chat_id), until)
        else:
            raise CannotCount(f"{chat_id} is neither a channel nor a group")
        if full.full_chat.call is None:
            raise CannotCount("there is no voice chat")
        return full.full_chat.call

    async def _peers(self, own: Collection[int], not_listeners: Collection[int]) -> dict[int, Any]:
        """Who is to be looked for, by user id."""
        peers: dict[int, Any] = {}
        for user in {*own, *not_listeners}:
            try:
                peers[user] = await self._client.resolve_peer(user)
            except (BadRequest, KeyError, ValueError):
                if user not in own:
                    self._strangers.one_is(user)
                elif user > 0:
                    peers[user] = types.InputPeerSelf()
        return peers

    async def _present(self, call: Any, peers: dict[int, Any], until: float) -> set[int]:
        if not peers:
            return set()
        request = functions.phone.GetGroupParticipants(
            call=call, ids=list(peers.values()), sources=[], offset="", limit=len(peers)
        )
        return present_of(await self._ask(request, until), peers)
