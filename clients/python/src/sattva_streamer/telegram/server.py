"""What the Telegram libraries have in common: each answers how many are in a voice chat."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from .listeners import ServerCount


class CannotCount(Exception):
    """The server did not say how many there are."""


class Server(Protocol):
    """Telegram's servers, as seen through one library."""

    async def count(self, chat_id: int, own: Collection[int], not_listeners: Collection[int]) -> ServerCount:
        """Asks how many are in the chat's voice chat, in which we are.

        Args:
            chat_id: the chat, as py-tgcalls writes it.
            own: user ids that are ourselves.
            not_listeners: user ids that do not count where they are there: recorders, other bots.

        Raises:
            CannotCount: there is no voice chat, or the answer holds no count.
            Exception: whatever the library raises.
        """

    def forget(self, chat_id: int) -> None:
        """The voice chat is over; the chat's next one is another."""


def peer_id(peer: Any) -> int | None:
    """A peer's id as py-tgcalls writes it, None for what is not understood."""
    user, channel, group = (getattr(peer, name, None) for name in ("user_id", "channel_id", "chat_id"))
    if isinstance(user, int):
        return user
    if isinstance(channel, int):
        return -1_000_000_000_000 - channel
    return -group if isinstance(group, int) else None


def read_count(answer: Any, own: Collection[int], ours: int) -> ServerCount:
    """Reads the answer to `phone.getGroupCall(limit=1)`, which all libraries shape alike.

    Args:
        answer: the answer.
        own: user ids that are ourselves.
        ours: how many of the participants are not listeners.

    Raises:
        CannotCount: the voice chat is over.
    """
    call = answer.call
    participants = getattr(call, "participants_count", None)
    if not isinstance(participants, int) or isinstance(participants, bool):
        raise CannotCount("the voice chat is over")
    others = 0
    for participant in getattr(answer, "participants", None) or ():
        is_ours = getattr(participant, "is_self", False) or peer_id(participant.peer) in own
        if not is_ours and not getattr(participant, "left", False):
            others += 1
    # Whoever is shown by name and not known to be ours may be one that does not count.
    others = max(0, others - max(0, ours - 1))
    return ServerCount(participants, bool(getattr(call, "listeners_hidden", False)), ours, others)


def present_of(answer: Any, users: Collection[int]) -> set[int]:
    """Which of the users an answer to `phone.getGroupParticipants` shows to be there."""
    present = set()
    for participant in getattr(answer, "participants", None) or ():
        user = peer_id(participant.peer)
        if user is not None and user in users and not getattr(participant, "left", False):
            present.add(user)
    return present
