"""What the daemon answers, read without trusting it: rubbish is named and left alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from .command import StopCommand, Unreadable, read_command

REPORT_EVERY = 5.0
"""Seconds between rounds until the daemon says otherwise."""
REPORT_EVERY_MIN = 1.0
REPORT_EVERY_MAX = 30.0
COMMANDS_MAX = 1000
"""Commands of one answer that are looked at; what is left out comes again."""


class Garbage(ValueError):
    """An answer that is none."""


@dataclass(frozen=True)
class Answer:
    """An answer to `POST /api/v1/ingest`."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    report_every: float = REPORT_EVERY
    """Seconds."""
    commands: list[StopCommand] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def read_answer(raw: object, sent_at: float) -> Answer:
    """Reads an answer to a request that was sent at the moment `sent_at`.

    Raises:
        Garbage: it is not an answer of the daemon at all.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("commands"), list):
        raise Garbage("the answer is not an object with commands: is this the address of the daemon?")
    commands: list[StopCommand] = []
    unreadable: list[Unreadable] = []
    for item in raw["commands"][:COMMANDS_MAX]:
        try:
            commands.append(read_command(item, sent_at))
        except Unreadable as error:
            unreadable.append(error)
    return Answer(
        accepted=_count(raw.get("accepted")),
        duplicates=_count(raw.get("duplicates")),
        refused=_count(raw.get("refused")),
        report_every=_rhythm(raw.get("report_every_seconds")),
        commands=commands,
        unreadable=unreadable,
    )


def _count(raw: object) -> int:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0 else 0


def _rhythm(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or raw != raw:  # noqa: PLR0124 (not a number)
        return REPORT_EVERY
    return min(max(float(raw), REPORT_EVERY_MIN), REPORT_EVERY_MAX)
