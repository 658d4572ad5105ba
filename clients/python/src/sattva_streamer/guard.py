"""The last look before a stop. Pure: whoever asks brings the time and what is known.

A stop is carried out only where everything needed to know is known. Whatever is in doubt is a listener.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .command import StopCommand
from .report import State


@dataclass(frozen=True)
class Evidence:
    """What is known of a stream's listeners, and since when."""

    listeners: int | None
    joins: int | None
    taken_at: float
    """When they were counted: a moment of the clock's `now`."""


class Decision(enum.Enum):
    """What to do with a command."""

    STOP = "stop"
    REFUSE = "refuse"
    LET_LAPSE = "let lapse"
    """It is too late for it: neither carried out nor answered."""


@dataclass(frozen=True)
class Verdict:
    """A decision and its reason, in words for the daemon's journal."""

    decision: Decision
    why: str


def _refuse(why: str) -> Verdict:
    return Verdict(Decision.REFUSE, why)


def judge_claim(command: StopCommand, *, now: float, session: str | None, state: State) -> Verdict | None:
    """What can be said without counting; None if counting decides.

    Args:
        command: the command.
        now: the present moment.
        session: the session that is on the air, None if there is none.
        state: what it is doing.
    """
    if now >= command.deadline:
        return Verdict(Decision.LET_LAPSE, "it is no longer valid")
    if session is None:
        return _refuse("this channel is not on the air")
    if command.session != session:
        return _refuse("another session is on the air")
    if state is State.STOPPED:
        return _refuse("this session is over")
    if state is State.PAUSED and command.only_if is not None:
        return _refuse("it is paused")
    return None


def judge(
    command: StopCommand,
    *,
    now: float,
    session: str | None,
    state: State,
    evidence: Evidence,
    counted_since: float,
) -> Verdict:
    """Decides on a stop, with what is known at this very moment.

    Args:
        command: the command.
        now: the present moment.
        session: the session that is on the air, None if there is none.
        state: what it is doing.
        evidence: the newest count.
        counted_since: a count older than this moment does not do.
    """
    claim = judge_claim(command, now=now, session=session, state=state)
    if claim is not None:
        return claim
    condition = command.only_if
    if condition is None:
        return Verdict(Decision.STOP, "an operator forces it")
    if evidence.listeners is None:
        return _refuse("the listeners cannot be counted")
    if evidence.listeners > condition.listeners_at_most:
        return _refuse(f"{evidence.listeners} listening")
    if evidence.taken_at < counted_since:
        return _refuse(f"the last count is {now - evidence.taken_at:.0f} s old")
    if condition.joins is not None and evidence.joins != condition.joins:
        seen = "unknown" if evidence.joins is None else str(evidence.joins)
        return _refuse(f"joins are {seen}, not {condition.joins}: somebody may have come since")
    return Verdict(Decision.STOP, "nobody listens")
