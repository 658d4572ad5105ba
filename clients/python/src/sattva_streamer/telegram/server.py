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


def read_count(
    answer: Any, own: Collection[int], not_listeners: Collection[int], present: Collection[int]
) -> ServerCount:
    """Reads the answer to `phone.getGroupCall(limit=1)`, which all libraries shape alike.

    Args:
        answer: the answer.
        own: user ids that are ourselves.
        not_listeners: user ids that do not count where they are there.
        present: which of all these were seen there.

    Raises:
        CannotCount: the voice chat is over.
    """
    call = answer.call
    participants = getattr(call, "participants_count", None)
    if not isinstance(participants, int) or isinstance(participants, bool):
        raise CannotCount("the voice chat is over")
    # The answer itself may show some of ours, and can then not have left them out.
    ours = {*present, *present_of(answer, {*own, *not_listeners})}
    others = 0
    for participant in getattr(answer, "participants", None) or ():
        if not getattr(participant, "left", False) and peer_id(participant.peer) not in ours:
            others += 1
    hidden = bool(getattr(call, "listeners_hidden", False))
    return ServerCount(participants, hidden, len(ours), others, we_are_there=not ours.isdisjoint(own))


def present_of(answer: Any, users: Collection[int]) -> set[int]:
    """Which of the users an answer to `phone.getGroupParticipants` shows to be there."""
    present = set()
    for participant in getattr(answer, "participants", None) or ():
        user = peer_id(participant.peer)
        if user is not None and user in users and not getattr(participant, "left", False):
            present.add(user)
    return present
