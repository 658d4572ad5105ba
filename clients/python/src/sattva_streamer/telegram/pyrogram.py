"""Counting with kurigram or pyrofork: both are the package `pyrogram`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pyrogram.raw import functions, types

from .listeners import ServerCount
from .server import CannotCount, present_of, read_count


class PyrogramServer:
    """See `Server`."""

    def __init__(self, client: Any) -> None:
        """The client is already connected, or will be."""
        self._client = client
        self._calls: dict[int, Any] = {}

    async def count(self, chat_id: int, own: Collection[int], not_listeners: Collection[int]) -> ServerCount:
        """See `Server.count`."""
        call = self._calls.get(chat_id)
        if call is None:
            call = self._calls[chat_id] = await self._call(chat_id)
        try:
            before = await self._present(call, not_listeners)
            answer = await self._client.invoke(functions.phone.GetGroupCall(call=call, limit=1))
            # Counted only if there before and after: otherwise a listener may have taken that place.
            present = before & await self._present(call, not_listeners)
            return read_count(answer, own, 1 + len(present))
        except BaseException:
            self.forget(chat_id)
            raise

    def forget(self, chat_id: int) -> None:
        """See `Server.forget`."""
        self._calls.pop(chat_id, None)

    async def _call(self, chat_id: int) -> Any:
        peer = await self._client.resolve_peer(chat_id)
        if isinstance(peer, types.InputPeerChannel):
            channel = types.InputChannel(channel_id=peer.channel_id, access_hash=peer.access_hash)
            full = await self._client.invoke(functions.channels.GetFullChannel(channel=channel))
        elif isinstance(peer, types.InputPeerChat):
            full = await self._client.invoke(functions.messages.GetFullChat(chat_id=peer.chat_id))
        else:
            raise CannotCount(f"{chat_id} is neither a channel nor a group")
        if full.full_chat.call is None:
            raise CannotCount("there is no voice chat")
        return full.full_chat.call

    async def _present(self, call: Any, users: Collection[int]) -> set[int]:
        if not users:
            return set()
        peers = [await self._client.resolve_peer(user) for user in users]
        request = functions.phone.GetGroupParticipants(call=call, ids=peers, sources=[], offset="", limit=len(peers))
        return present_of(await self._client.invoke(request), users)
