"""A Telethon client whose requests are answered from memory.

Everything above its one network call is the real code: the dispatch of updates, py-tgcalls and its engine.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from telethon import TelegramClient
from telethon.sessions import StringSession
from telethon.tl import functions, types

from sattva_streamer.telegram.server import peer_id
from voice_chats import ME, Missing, Telegram, VoiceChat


class MemoryClient(TelegramClient):
    """See the module."""

    # py-tgcalls tells the library by the first part of this.
    __module__ = "telethon.memory"

    def __init__(self, telegram: Telegram, me: int = ME) -> None:
        super().__init__(StringSession(), 1, "x")
        self.telegram = telegram
        self.me = me

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
        call = types.GroupCallDiscarded(chat.number, 7, 1)
        await self._dispatch_update(types.UpdateGroupCall(call=call, peer=types.PeerChannel(channel)))

    async def _push(self, chat: VoiceChat, user: int, source: int | None = None, **flags: bool) -> None:
        source = chat.participants[user] if source is None else source
        participant = self._participant(user, source, **flags)
        await self._dispatch_update(types.UpdateGroupCallParticipants(self._input(chat), [participant], version=1))

    # -- how the servers answer -------------------------------------------------------------------------

    def _participant(self, user: int, source: int, **flags: bool) -> Any:
        peer = types.PeerUser(user) if user > 0 else types.PeerChannel(-1_000_000_000_000 - user)
        return types.GroupCallParticipant(
            peer=peer, date=None, source=source, muted=True, can_self_unmute=True, is_self=user == self.me, **flags
        )

    @staticmethod
    def _input(chat: VoiceChat) -> Any:
        return types.InputGroupCall(id=chat.number, access_hash=7)

    def is_connected(self) -> bool:
        return True

    async def get_me(self, input_peer: bool = False) -> Any:
        if input_peer:
            return types.InputPeerUser(self.me, 1)
        return types.User(id=self.me, is_self=True, access_hash=1)

    async def get_input_entity(self, peer: int) -> Any:
        if peer in self.telegram.strangers:
            raise ValueError(f"Could not find the input entity for {peer}")
        if peer > 0:
            return types.InputPeerUser(peer, 1)
        return types.InputPeerChannel(-1_000_000_000_000 - peer, 9)

    async def _call(self, sender: Any, request: Any, ordered: bool = False, flood_sleep_threshold: Any = None) -> Any:
        telegram = self.telegram
        telegram.asked[type(request).__name__.removesuffix("Request")] += 1
        if isinstance(request, functions.channels.GetFullChannelRequest):
            chat = telegram.chats.get(request.channel.channel_id)
            return SimpleNamespace(full_chat=SimpleNamespace(call=None if chat is None else self._input(chat)))
        number = getattr(getattr(request, "call", None), "id", None)
        channel = None if number is None else telegram.channel_of(number)
        if isinstance(request, functions.phone.GetGroupCallRequest):
            if telegram.broken:
                raise Missing("the servers do not answer")
            if telegram.cancels:
                raise asyncio.CancelledError
            await asyncio.sleep(telegram.slow)
            if channel is None:
                return SimpleNamespace(call=types.GroupCallDiscarded(number, 7, 1), participants=[])
            chat = telegram.chats[channel]
            shown = telegram.shown(chat, request.limit)
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
        if isinstance(request, functions.phone.GetGroupParticipantsRequest):
            chat = telegram.chats[channel or 0]
            wanted = [peer_id(peer) for peer in request.ids]
            shown = chat.participants if wanted else telegram.shown(chat)
            members = [self._participant(u, s) for u, s in shown.items() if not wanted or u in wanted]
            return SimpleNamespace(participants=members, next_offset="")
        if isinstance(request, functions.phone.JoinGroupCallRequest):
            chat = telegram.chats[channel or 0]
            peer = request.join_as
            user = peer.user_id if hasattr(peer, "user_id") else -1_000_000_000_000 - peer.channel_id
            chat.participants = {user: user, **chat.participants}
            mine = self._participant(user, user, just_joined=True)
            answer = types.UpdateGroupCallConnection(types.DataJSON('{"stream": true}'))
            update = types.UpdateGroupCallParticipants(self._input(chat), [mine], 1)
            return types.Updates([update, answer], [], [], None, 0)
        if isinstance(request, functions.phone.LeaveGroupCallRequest) and channel is not None:
            self._gone(telegram.chats[channel])
        return types.Updates([], [], [], None, 0)

    def _gone(self, chat: VoiceChat) -> None:
        own = [user for user in chat.participants if user == self.me or user < 0]
        for user in own:
            del chat.participants[user]
