"""Commands and answers that are not what they should be."""

from __future__ import annotations

from typing import Any

import pytest

from sattva_streamer.answer import Garbage, read_answer
from sattva_streamer.command import OnlyIf, Unreadable, read_command

GOOD: dict[str, Any] = {
    "id": "jazz/g1.f1.r0/s1",
    "type": "stop",
    "channel_id": "jazz",
    "session": "s1",
    "reason": "no_listeners",
    "valid_for_seconds": 59,
    "only_if": {"listeners_at_most": 0, "joins": 4},
}


def test_a_command_is_valid_from_when_the_request_was_sent() -> None:
    command = read_command(GOOD, sent_at=100.0)
    assert command.deadline == 159.0
    assert command.only_if == OnlyIf(0, 4)


def test_an_operators_force_has_no_condition() -> None:
    raw = {**GOOD, "reason": "operator"}
    del raw["only_if"]
    assert read_command(raw, 0).only_if is None


def test_fields_nobody_knows_are_ignored_beside_the_condition() -> None:
    assert read_command({**GOOD, "colour": "red"}, 0).id == GOOD["id"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("type", "restart"),
        ("type", None),
        ("channel_id", -100123),
        ("channel_id", ""),
        ("session", None),
        ("session", ["s1"]),
        ("reason", 5),
        ("valid_for_seconds", "60"),
        ("valid_for_seconds", -1),
        ("valid_for_seconds", True),
        ("valid_for_seconds", 1e9),
        ("valid_for_seconds", float("nan")),
        ("valid_for_seconds", None),
        ("only_if", None),
        ("only_if", {}),
        ("only_if", []),
        ("only_if", "nobody"),
        ("only_if", {"listeners_at_most": "0"}),
        ("only_if", {"listeners_at_most": None}),
        ("only_if", {"listeners_at_most": -1}),
        ("only_if", {"listeners_at_most": False}),
        ("only_if", {"listeners_at_most": 0.0}),
        ("only_if", {"listeners_at_most": 10**12}),
        ("only_if", {"joins": 4}),
        ("only_if", {"listeners_at_most": 0, "joins": None}),
        ("only_if", {"listeners_at_most": 0, "joins": "4"}),
        ("only_if", {"listeners_at_most": 0, "quiet_for_seconds": 60}),
    ],
)
def test_a_misread_command_is_never_carried_out(name: str, value: object) -> None:
    with pytest.raises(Unreadable) as error:
        read_command({**GOOD, name: value}, 0)
    assert error.value.command_id == GOOD["id"]


def test_a_condition_that_got_lost_does_not_become_a_force() -> None:
    raw = dict(GOOD)
    del raw["only_if"]
    with pytest.raises(Unreadable):
        read_command(raw, 0)


@pytest.mark.parametrize("raw", [None, [], 5, "stop", {}, {"id": ""}, {"id": 5}, {"id": "x" * 1001}])
def test_a_command_without_an_id_cannot_be_answered(raw: object) -> None:
    with pytest.raises(Unreadable) as error:
        read_command(raw, 0)
    assert error.value.command_id is None


@pytest.mark.parametrize("raw", [None, [], 5, "ok", {}, {"commands": {}}, {"commands": None}, {"accepted": 1}])
def test_an_answer_that_is_none_is_garbage(raw: object) -> None:
    with pytest.raises(Garbage):
        read_answer(raw, 0)


def test_one_wrong_command_does_not_hide_the_others() -> None:
    answer = read_answer({"commands": [5, GOOD, {**GOOD, "type": "dance"}]}, 0)
    assert [command.id for command in answer.commands] == [GOOD["id"]]
    assert len(answer.unreadable) == 2


@pytest.mark.parametrize(
    ("said", "taken"),
    [(5, 5.0), (0, 1.0), (-3, 1.0), (1e9, 30.0), ("5", 5.0), (None, 5.0), (float("nan"), 5.0), (True, 5.0)],
)
def test_the_rhythm_stays_within_reason(said: object, taken: float) -> None:
    assert read_answer({"commands": [], "report_every_seconds": said}, 0).report_every == taken
