"""A client of kurigram or pyrofork whose requests are answered from memory.

Everything above its one network call is the real code: the dispatch of updates, py-tgcalls and its engine.
"""

from __future__ import annotations

import asyncio
from inspect import signature
from types import SimpleNamespace
from typing import Any

from pyrogram import Client
from pyrogram.errors import PeerIdInvalid
from pyrogram.raw import functions, types

from sattva_streamer.telegram.server import peer_id
from voice_chats import ME, Missing, Telegram, VoiceChat


class MemoryClient(Client):
    """See the module."""

    # py-tgcalls tells the library by the first part of this.
    __module__ = "pyrogram.memory"

    def __init__(self, telegram: Telegram, me: int = ME) -> None:
        super().__init__("memory", api_id=1, api_hash="x", in_memory=True, workers=1, skip_updates=True)
        self.telegram = telegram
        self.user = me
        self.is_connected = True
        self.waiting: list[Any] = []

    # -- what happens in the voice chats ----------------------------------------------------------------

    async def join(self, channel: int, user: int) -> None:
        chat = self.telegram.chats[channel]
        chat.participants[user] = user
        await self._push(chat, user, just_joined=True)

    async def rejoin(self, channel: int, user: int) -> None:
        """The same user with a new sound source, as after a lost connection."""
        chat = self.telegram.chats[channel]
        chat.participants[user] += 1_000_000
        await self._push(chat, user)

    async def leave(self, channel: int, user: int) -> None:
        chat = self.telegram.chats[channel]
        source = chat.participants.pop(user, user)
        await self._push(chat, user, source=source, left=True)

    async def close_chat(self, channel: int) -> None:
        chat = self.telegram.chats.pop(channel)
        call = types.GroupCallDiscarded(id=chat.number, access_hash=7, duration=1)
        await self._dispatch(types.UpdateGroupCall(call=call, peer=types.PeerChannel(channel_id=channel)))

    async def _push(self, chat: VoiceChat, user: int, source: int | None = None, **flags: bool) -> None:
        source = chat.participants[user] if source is None else source
        participant = self._participant(user, source, **flags)
        await self._dispatch(
            types.UpdateGroupCallParticipants(call=self._input(chat), participants=[participant], version=1)
        )

    async def _dispatch(self, update: Any) -> None:
        # The library's worker takes it from here, as it does with what comes from the network.
        if not self.dispatcher.handler_worker_tasks:
            await self.dispatcher.start()
        self.dispatcher.updates_queue.put_nowait((update, {}, {}))
        await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Ends the library's worker."""
        await self.dispatcher.stop()

    # -- how the servers answer -------------------------------------------------------------------------

    def _participant(self, user: int, source: int, **flags: bool) -> Any:
        peer: Any = (
            types.PeerUser(user_id=user) if user > 0 else types.PeerChannel(channel_id=-1_000_000_000_000 - user)
        )
        mine = user == self.user
        return types.GroupCallParticipant(
            peer=peer, date=0, source=source, muted=True, can_self_unmute=True, is_self=mine, **flags
        )

    @staticmethod
    def _input(chat: VoiceChat) -> Any:
        return types.InputGroupCall(id=chat.number, access_hash=7)

    async def get_me(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(id=self.user)

    async def resolve_peer(self, peer: Any, *_: Any, **__: Any) -> Any:
        if peer in self.telegram.strangers:
            raise PeerIdInvalid
        if peer > 0:
            return types.InputPeerUser(user_id=peer, access_hash=1)
        return types.InputPeerChannel(channel_id=-1_000_000_000_000 - peer, access_hash=9)

    async def invoke(self, query: Any, retries: int = 10, timeout: float = 15, *_: Any, **__: Any) -> Any:
        """Either library's way to give up; a request that is cancelled stays among those that wait."""
        tries = retries if "retry_delay" in signature(Client.invoke).parameters else retries + 1
        for _try in range(tries):
            self.waiting.append(query)
            answer = asyncio.ensure_future(self._answer(query))
            done, _pending = await asyncio.wait({answer}, timeout=timeout)
            self.waiting.remove(query)
            if done:
                return answer.result()
            answer.cancel()
            await asyncio.sleep(0.5)
        raise TimeoutError("Request timed out")

    async def _answer(self, query: Any) -> Any:
        telegram = self.telegram
        telegram.asked[type(query).__name__] += 1
        if isinstance(query, functions.channels.GetFullChannel):
            chat = telegram.chats.get(query.channel.channel_id)
            return SimpleNamespace(full_chat=SimpleNamespace(call=None if chat is None else self._input(chat)))
        number = getattr(getattr(query, "call", None), "id", None)
        channel = None if number is None else telegram.channel_of(number)
        if isinstance(query, functions.phone.GetGroupCall):
            if telegram.broken:
                raise Missing("the servers do not answer")
            if telegram.cancels:
                raise asyncio.CancelledError
            await asyncio.sleep(telegram.slow)
            if channel is None:
                gone = types.GroupCallDiscarded(id=number, access_hash=7, duration=1)
                return SimpleNamespace(call=gone, participants=[])
            chat = telegram.chats[channel]
            shown = telegram.shown(chat, query.limit)
            return SimpleNamespace(
                call=types.GroupCall(
                    id=chat.number,
                    access_hash=7,
                    participants_count=len(chat.participants),
                    unmuted_video_limit=0,
                    version=1,
                    listeners_hidden=chat.hidden,
                ),
                participants=[self._participant(user, source) for user, source in shown.items()],
            )
        if isinstance(query, functions.phone.GetGroupParticipants):
            chat = telegram.chats[channel or 0]
            wanted = [peer_id(peer) for peer in query.ids]
            shown = chat.participants if wanted else telegram.shown(chat)
            members = [self._participant(u, s) for u, s in shown.items() if not wanted or u in wanted]
            return SimpleNamespace(participants=members, next_offset="")
        if isinstance(query, functions.phone.JoinGroupCall):
            chat = telegram.chats[channel or 0]
            peer = query.join_as
            user = peer.user_id if hasattr(peer, "user_id") else -1_000_000_000_000 - peer.channel_id
            chat.participants = {user: user, **chat.participants}
            mine = self._participant(user, user, just_joined=True)
            answer = types.UpdateGroupCallConnection(params=types.DataJSON(data='{"stream": true}'))
            update = types.UpdateGroupCallParticipants(call=self._input(chat), participants=[mine], version=1)
            return types.Updates(updates=[update, answer], users=[], chats=[], date=0, seq=0)
        if isinstance(query, functions.phone.LeaveGroupCall) and channel is not None:
            self._gone(telegram.chats[channel])
        return types.Updates(updates=[], users=[], chats=[], date=0, seq=0)

    def _gone(self, chat: VoiceChat) -> None:
        own = [user for user in chat.participants if user == self.user or user < 0]
        for user in own:
            del chat.participants[user]
