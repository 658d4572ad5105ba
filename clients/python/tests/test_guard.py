"""The last look before a stop, in every doubt there is."""

from __future__ import annotations

import pytest

from sattva_streamer.command import OnlyIf, StopCommand
from sattva_streamer.guard import Decision, Evidence, judge
from sattva_streamer.report import State

NOW = 1000.0
NOBODY = OnlyIf(0, 7)


def decide(
    listeners: int | None = 0,
    joins: int | None = 7,
    *,
    only_if: OnlyIf | None = NOBODY,
    session: str | None = "s1",
    state: State = State.LIVE,
    counted_at: float = NOW - 0.1,
    deadline: float = NOW + 30,
    reason: str = "no_listeners",
) -> Decision:
    command = StopCommand("c1", "jazz", "s1", reason, only_if, deadline)
    return judge(
        command,
        now=NOW,
        session=session,
        state=state,
        evidence=Evidence(listeners, joins, counted_at),
        counted_since=NOW - 1,
    ).decision


def test_an_empty_stream_is_stopped() -> None:
    assert decide() is Decision.STOP
    assert decide(state=State.IDLE) is Decision.STOP
    assert decide(only_if=OnlyIf(0)) is Decision.STOP
    assert decide(joins=None, only_if=OnlyIf(0)) is Decision.STOP


@pytest.mark.parametrize("listeners", [1, 2, 1000])
def test_a_stream_with_a_listener_is_not(listeners: int) -> None:
    assert decide(listeners) is Decision.REFUSE


def test_what_cannot_be_counted_is_a_listener() -> None:
    assert decide(None) is Decision.REFUSE


def test_an_old_count_does_not_do() -> None:
    assert decide(counted_at=NOW - 1.1) is Decision.REFUSE


def test_somebody_who_came_and_went_makes_it_refuse() -> None:
    assert decide(joins=8) is Decision.REFUSE


def test_joins_that_are_unknown_or_went_down_make_it_refuse() -> None:
    assert decide(joins=None) is Decision.REFUSE
    assert decide(joins=6) is Decision.REFUSE


def test_another_session_or_none_is_not_stopped() -> None:
    assert decide(session="s2") is Decision.REFUSE
    assert decide(session=None) is Decision.REFUSE
    assert decide(state=State.STOPPED) is Decision.REFUSE


def test_a_paused_stream_is_not_stopped_for_being_empty() -> None:
    assert decide(state=State.PAUSED) is Decision.REFUSE


def test_a_command_that_is_too_late_lapses_to_the_instant() -> None:
    assert decide(deadline=NOW) is Decision.LET_LAPSE
    assert decide(deadline=NOW - 0.001) is Decision.LET_LAPSE
    assert decide(deadline=NOW + 0.001) is Decision.STOP


def test_an_operator_may_force_what_is_heard_but_not_another_session_and_not_too_late() -> None:
    assert decide(5, only_if=None, reason="operator") is Decision.STOP
    assert decide(None, only_if=None, reason="operator", state=State.PAUSED) is Decision.STOP
    assert decide(5, only_if=None, reason="operator", session="s2") is Decision.REFUSE
    assert decide(5, only_if=None, reason="operator", deadline=NOW) is Decision.LET_LAPSE
