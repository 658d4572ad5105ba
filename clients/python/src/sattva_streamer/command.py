"""Commands as they come in: read strictly, because acting on a misread one cuts listeners off."""

from __future__ import annotations

from dataclasses import dataclass

from .report import COUNTER_MAX, LISTENERS_MAX, plausible

ID_MAX = 1000
VALID_FOR_MAX = 300.0
"""Seconds; a longer life than this is not believed."""


class Unreadable(ValueError):
    """A command that must not be acted on: says why, and names its id where it has one."""

    def __init__(self, why: str, command_id: str | None = None) -> None:
        super().__init__(why)
        self.command_id = command_id


@dataclass(frozen=True)
class OnlyIf:
    """The condition of a stop, checked at the last moment."""

    listeners_at_most: int
    joins: int | None = None
    """Everyone who ever joined, as last reported: one more has come since where it differs."""


@dataclass(frozen=True)
class StopCommand:
    """End this session of this channel, if the condition holds and it is not too late."""

    id: str
    channel_id: str
    session: str
    reason: str
    only_if: OnlyIf | None
    """None only if an operator forces the stop."""
    deadline: float
    """A moment of the clock's `now`; from then on it is void."""


def read_command(raw: object, sent_at: float) -> StopCommand:
    """Reads one command of an answer.

    Args:
        raw: what the JSON held.
        sent_at: when the request was sent. The answer is younger, so counting the validity from here can
            only end it too early, also where our own event loop was blocked meanwhile.

    Raises:
        Unreadable: anything is missing, of the wrong type or not understood.
    """
    if not isinstance(raw, dict):
        raise Unreadable("a command is not an object")
    identity = raw.get("id")
    if not isinstance(identity, str) or not 0 < len(identity) <= ID_MAX:
        raise Unreadable("a command without a usable id")
    if raw.get("type") != "stop":
        raise Unreadable(f"type {str(raw.get('type'))[:40]!r} is not known here", identity)
    texts: dict[str, str] = {}
    for name in ("channel_id", "session", "reason"):
        value = raw.get(name)
        if not isinstance(value, str) or not value:
            raise Unreadable(f"{name} is not a text", identity)
        texts[name] = value
    seconds = raw.get("valid_for_seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= VALID_FOR_MAX:
        raise Unreadable(f"valid_for_seconds is not a number from 0 to {VALID_FOR_MAX:.0f}", identity)
    only_if = _read_only_if(raw["only_if"], identity) if "only_if" in raw else None
    if only_if is None and texts["reason"] != "operator":
        # Only a person may end a stream that somebody hears.
        raise Unreadable("a stop without only_if that no operator asked for", identity)
    return StopCommand(
        id=identity,
        channel_id=texts["channel_id"],
        session=texts["session"],
        reason=texts["reason"],
        only_if=only_if,
        deadline=sent_at + seconds,
    )


def _read_only_if(raw: object, identity: str) -> OnlyIf:
    if not isinstance(raw, dict):
        raise Unreadable("only_if is not an object", identity)
    unknown = sorted(set(map(str, raw)) - {"listeners_at_most", "joins"})
    if unknown:
        # A condition that cannot be checked cannot be met.
        raise Unreadable(f"only_if holds a condition that is not known here: {unknown[0][:40]!r}", identity)
    listeners = plausible(raw.get("listeners_at_most"), LISTENERS_MAX)
    if listeners is None:
        raise Unreadable("only_if.listeners_at_most is not a count", identity)
    joins = None
    if "joins" in raw:
        joins = plausible(raw["joins"], COUNTER_MAX)
        if joins is None:
            raise Unreadable("only_if.joins is not a count", identity)
    return OnlyIf(listeners, joins)
