"""Telegram's voice chats, kept in memory: what the servers know, whichever library asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

ME = 42
"""The account that plays."""


def chat_id(channel: int) -> int:
    """A channel as py-tgcalls writes it."""
    return -1_000_000_000_000 - channel


@dataclass
class VoiceChat:
    """One voice chat. A participant is a peer id and the number of its sound source."""

    number: int
    participants: dict[int, int] = field(default_factory=dict)
    hidden: bool = False


@dataclass
class Telegram:
    """The servers."""

    chats: dict[int, VoiceChat] = field(default_factory=dict)
    """By channel."""
    asked: Counter[str] = field(default_factory=Counter)
    """Requests, by name."""
    strangers: set[int] = field(default_factory=set)
    """Users whom the account has never met."""
    broken: bool = False
    """Counts are not answered."""
    cancels: bool = False
    """Whoever waits for a count is cancelled, as by a client that disconnects."""
    slow: float = 0.0
    """Seconds that a count takes."""
    _numbers: int = 100

    def open(self, channel: int) -> VoiceChat:
        """A voice chat begins in the channel."""
        if channel not in self.chats:
            self._numbers += 1
            self.chats[channel] = VoiceChat(self._numbers)
        return self.chats[channel]

    def channel_of(self, number: int) -> int | None:
        """Which channel's voice chat has that number."""
        return next((channel for channel, chat in self.chats.items() if chat.number == number), None)

    def shown(self, chat: VoiceChat, limit: int | None = None) -> dict[int, int]:
        """Who is on the list: with hidden listeners only those who play."""
        shown = {user: source for user, source in chat.participants.items() if not chat.hidden or user < 100}
        return dict(list(shown.items())[:limit]) if limit is not None and limit >= 0 else shown


class Missing(Exception):
    """The servers did not answer."""
