"""Counting with kurigram or pyrofork: both are the package `pyrogram`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pyrogram.errors import BadRequest
from pyrogram.raw import functions, types

from .listeners import ServerCount
from .server import CannotCount, present_of, read_count
from .strangers import Strangers


class PyrogramServer:
    """See `Server`."""

    def __init__(self, client: Any) -> None:
        """The client is already connected, or will be."""
        self._client = client
        self._calls: dict[int, Any] = {}
        self._strangers = Strangers()

    async def count(self, chat_id: int, own: Collection[int], not_listeners: Collection[int]) -> ServerCount:
        """See `Server.count`."""
        call = self._calls.get(chat_id)
        if call is None:
            call = self._calls[chat_id] = await self._call(chat_id)
        try:
            peers = await self._peers(own, not_listeners)
            before = await self._present(call, peers)
            answer = await self._client.invoke(functions.phone.GetGroupCall(call=call, limit=1))
            # Counted only if there before and after: otherwise a listener may have taken that place.
            present = before & await self._present(call, peers)
            return read_count(answer, own, not_listeners, present)
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

    async def _present(self, call: Any, peers: dict[int, Any]) -> set[int]:
        if not peers:
            return set()
        request = functions.phone.GetGroupParticipants(
            call=call, ids=list(peers.values()), sources=[], offset="", limit=len(peers)
        )
        return present_of(await self._client.invoke(request), peers)
