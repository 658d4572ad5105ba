"""The plain client against a daemon in memory, in virtual time."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

import virtual_time
from memory_daemon import MemoryDaemon
from sattva_streamer import Client, Evidence, OnlyIf, State, StopCommand, Stream, Track
from sattva_streamer.client import STOP_PATIENCE
from sattva_streamer.clock import Clock
from sattva_streamer.outcomes import UNHEARD_MAX
from sattva_streamer.transport import Rejected

sleep = asyncio.sleep


class Radio:
    """A streamer that counts its listeners, and a client of it."""

    def __init__(self, wall_is_ahead: float = 0.0, daemon: MemoryDaemon | None = None, source: str = "radio-1") -> None:
        self.daemon = daemon or MemoryDaemon()
        self.clock = virtual_time.clock(lambda: wall_is_ahead)
        self.client = Client("http://daemon", source, transport=self.daemon, clock=self.clock)
        self.there: int | None = 0
        self.counting_takes = 0.0
        self.stopped: list[str] = []
        self.client.start()

    async def count(self) -> int | None:
        await sleep(self.counting_takes)
        return self.there

    async def stop(self, command: StopCommand) -> None:
        self.stopped.append(command.channel_id)

    def play(self, channel: str = "jazz", *, counts: bool = True) -> Stream:
        return self.client.stream(channel, stop=self.stop, count=self.count if counts else None)


def story(told: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test in virtual time."""
    wants_the_log = bool(inspect.signature(told).parameters)

    def run(caplog: pytest.LogCaptureFixture) -> None:
        virtual_time.tell(lambda: told(caplog) if wants_the_log else told())

    run.__name__, run.__doc__ = getattr(told, "__name__", "story"), told.__doc__
    return run


@story
async def test_a_stream_is_reported_at_once_and_then_every_five_seconds() -> None:
    radio = Radio()
    stream = radio.play(counts=False)
    stream.update(listeners=0, joins=0, queue_size=5, queue_ops={"add": 3, "dance": 1})
    stream.update(track=Track("So What", artist="Miles Davis"))
    await sleep(0.5)
    first = radio.daemon.last("jazz")
    assert first["state"] == "live"
    assert first["listeners"] == 0
    assert first["track"] == {"title": "So What", "artist": "Miles Davis"}
    assert first["queue_ops"] == {"add": 3}
    assert first["started_at"] == "2027-01-15T08:00:00.000Z"
    before = len(radio.daemon.reports)
    await sleep(60)
    reports = radio.daemon.reports[before:]
    assert 12 <= len(reports) <= 14
    seqs = [report["seq"] for report in radio.daemon.reports]
    assert seqs == sorted(set(seqs))
    assert len({report["session"] for report in radio.daemon.reports}) == 1


@story
async def test_a_change_is_told_at_once_and_a_flood_of_changes_together() -> None:
    radio = Radio()
    stream = radio.play(counts=False)
    await sleep(2)
    stream.update(listeners=3)
    await sleep(0.01)
    assert radio.daemon.last()["listeners"] == 3
    requests = radio.daemon.requests
    for number in range(1000):
        stream.update(listeners=number % 7)
        await sleep(0.001)
    await sleep(0.3)
    assert radio.daemon.last()["listeners"] == 999 % 7
    assert radio.daemon.requests - requests < 10


@story
async def test_every_count_is_told_when_it_is_taken_though_it_is_the_same() -> None:
    radio = Radio()
    radio.counting_takes = 1.0
    radio.play()
    await sleep(2)
    before = len(radio.daemon.reports)
    counts: list[str] = []
    began = virtual_time.now()
    while virtual_time.now() - began < 60:
        await sleep(0.05)
        report = radio.daemon.last()
        if not counts or counts[-1] != report["observed_at"]:
            counts.append(report["observed_at"])
            # It is as old as the counting took, and not up to a round older.
            assert radio.clock.wall() - _seconds(report["observed_at"]) < 1.0 + 0.3 or len(counts) == 1
    assert len(radio.daemon.reports) > before
    # Every 5 s, also where the counting itself takes one of them.
    assert 12 <= len(counts) <= 14


@story
async def test_what_was_never_counted_is_null_and_never_zero() -> None:
    radio = Radio()
    radio.play(counts=False)
    await sleep(30)
    assert {report["listeners"] for report in radio.daemon.reports} == {None}


@story
async def test_what_cannot_be_is_unknown_and_nothing_raises() -> None:
    radio = Radio()
    stream = radio.play(counts=False)
    for wrong in (-1, 10**9, True, "3", 2.5, None):
        stream.update(listeners=3)
        await sleep(1)
        stream.update(listeners=wrong)  # type: ignore[arg-type]
        await sleep(1)
        assert radio.daemon.last()["listeners"] is None, wrong


@pytest.mark.parametrize(
    ("track", "told"),
    [
        (Track(None), None),  # type: ignore[arg-type]
        (Track("x", id=42), {"title": "x", "id": "42"}),  # type: ignore[arg-type]
        (Track("x", duration_seconds="210"), {"title": "x"}),  # type: ignore[arg-type]
        (Track("x", duration_seconds=float("nan")), {"title": "x"}),
        (Track("half \ud83d a smile"), {"title": "half ? a smile"}),
        ("x", None),
    ],
    ids=repr,
)
def test_a_track_that_is_none_costs_neither_the_stream_nor_the_others_their_reports(track: Any, told: Any) -> None:
    async def tale() -> None:
        radio = Radio()
        radio.play("rock")
        stream = radio.play()
        await sleep(1)
        stream.update(track=track, queue_ops=None, state="live")  # type: ignore[arg-type]
        radio.there = 3
        await sleep(11)
        assert radio.daemon.last("jazz").get("track") == told
        json.dumps(radio.daemon.last("jazz"), ensure_ascii=False).encode()
        for channel in ("jazz", "rock"):
            assert radio.daemon.last(channel)["listeners"] == 3
        await radio.client.close()
        assert radio.daemon.closed

    virtual_time.tell(tale)


@story
async def test_a_report_that_cannot_be_written_holds_up_neither_the_others_nor_the_end_of_the_program() -> None:
    radio = Radio()

    def look() -> Evidence:
        raise ZeroDivisionError

    radio.client.stream("bad", stop=radio.stop, look=look)
    radio.play("good")
    await sleep(12)
    assert radio.daemon.last("good")["seq"] >= 3
    assert {report["channel_id"] for report in radio.daemon.reports} == {"good"}
    assert radio.daemon.requests < 20
    radio.client.stream("worse", stop=radio.stop, look=look)
    await radio.client.close()
    assert radio.daemon.closed


@story
async def test_a_transport_that_breaks_at_the_last_words_is_closed_and_raises_nothing() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)

    async def broken(body: Any, patience: float) -> object:
        raise TypeError("a mistake")

    radio.daemon.post = broken  # type: ignore[method-assign]
    radio.play("rock")
    await radio.client.close()
    assert radio.daemon.closed


@story
async def test_a_count_of_the_future_is_unknown_and_does_not_keep_later_ones_out() -> None:
    radio = Radio()
    stream = radio.play(counts=False)
    await sleep(1)
    stream.update(listeners=0, counted_at=virtual_time.BEGINS_AT)
    await sleep(1)
    assert radio.daemon.last()["listeners"] is None
    stream.update(listeners=2)
    await sleep(1)
    assert radio.daemon.last()["listeners"] == 2


@story
async def test_a_count_that_is_not_said_again_grows_old_in_the_reports() -> None:
    radio = Radio()
    stream = radio.play(counts=False)
    stream.update(listeners=0)
    await sleep(1)
    observed = radio.daemon.last()["observed_at"]
    await sleep(60)
    assert radio.daemon.last()["observed_at"] == observed
    assert radio.daemon.last()["interval_seconds"] == 5


@story
async def test_an_empty_stream_is_stopped_and_told_as_ok_and_then_as_stopped() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(0.5)
    assert radio.stopped == ["jazz"]
    assert radio.daemon.outcome() == "ok"
    assert radio.daemon.last("jazz")["state"] == "stopped"
    reports = len(radio.daemon.reports)
    await sleep(60)
    assert len(radio.daemon.reports) == reports


@story
async def test_somebody_who_came_after_the_last_report_keeps_it_alive() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    radio.there = 1
    radio.daemon.orders(radio.daemon.last())
    await sleep(0.5)
    assert radio.stopped == []
    assert radio.daemon.outcome() == "refused"
    assert radio.daemon.last()["state"] == "live"


@story
async def test_somebody_who_joins_while_it_is_counted_keeps_it_alive() -> None:
    radio = Radio()
    stream = radio.play()
    await sleep(6)
    radio.counting_takes = 0.9
    radio.daemon.orders(radio.daemon.last())
    await sleep(0.5)
    stream.update(listeners=1)
    await sleep(2)
    assert radio.stopped == []
    assert radio.daemon.outcome() == "refused"


@pytest.mark.parametrize("trouble", ["raises", "none", "hangs"])
def test_where_the_listeners_cannot_be_counted_the_stop_is_refused(trouble: str) -> None:
    async def told() -> None:
        radio = Radio()
        radio.play()
        await sleep(1)

        async def count() -> int | None:
            if trouble == "raises":
                raise OSError("no route to the server")
            if trouble == "hangs":
                await sleep(3600)
            return None

        stream = radio.client._book.on_air("jazz")
        assert stream is not None
        stream.count = count
        radio.daemon.orders(radio.daemon.last())
        await sleep(8)
        assert radio.stopped == []
        assert radio.daemon.outcome() == "refused"

    virtual_time.tell(told)


@story
async def test_a_count_whose_connection_was_cancelled_is_tried_again_and_lets_no_stop_through() -> None:
    radio = Radio()
    connection: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
    assert connection is not None
    connection.cancel()

    async def count() -> int | None:
        if connection is not None:
            await connection
        return 3

    radio.client.stream("jazz", stop=radio.stop, count=count)
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(0.5)
    assert radio.daemon.outcome() == "refused"
    connection = None
    await sleep(6)
    assert radio.daemon.last()["listeners"] == 3


@story
async def test_a_stop_that_was_cancelled_halfway_is_an_error_and_is_not_run_again() -> None:
    radio = Radio()
    tries: list[str] = []

    async def stop(command: StopCommand) -> None:
        tries.append(command.id)
        raise asyncio.CancelledError

    radio.client.stream("jazz", stop=stop, count=radio.count)
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(30)
    assert radio.daemon.outcome() == "error"
    assert tries == ["c1"]


@story
async def test_without_a_count_of_its_own_only_a_fresh_update_lets_a_stop_through() -> None:
    radio = Radio()
    stream = radio.play(counts=False)
    stream.update(listeners=0)
    await sleep(7)
    radio.daemon.orders(radio.daemon.last(), "old")
    await sleep(0.5)
    assert radio.daemon.outcome("old") == "refused"
    stream.update(listeners=0)
    radio.daemon.orders(radio.daemon.last(), "fresh")
    await sleep(1.5)
    assert radio.daemon.outcome("fresh") == "ok"


@story
async def test_joins_that_rose_since_make_it_refuse() -> None:
    radio = Radio()
    stream = radio.play()
    stream.update(joins=4)
    await sleep(1)
    report = radio.daemon.last()
    stream.update(joins=5)
    radio.daemon.orders(report, only_if={"listeners_at_most": 0, "joins": 4})
    await sleep(0.5)
    assert radio.stopped == []
    assert radio.daemon.outcome() == "refused"


@story
async def test_a_command_delivered_twice_is_carried_out_once_and_answered_the_same() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    report = radio.daemon.last()
    radio.daemon.orders(report)
    await sleep(0.5)
    radio.play()
    await sleep(1)
    radio.daemon.orders(report)
    await sleep(6)
    assert radio.stopped == ["jazz"]
    assert [ack["outcome"] for ack in radio.daemon.acks] == ["ok", "ok"]
    assert radio.daemon.last()["state"] == "live"


@story
async def test_a_command_for_the_session_before_does_not_touch_the_one_on_the_air() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    before = radio.daemon.last()
    radio.play()
    await sleep(1)
    radio.daemon.orders(before)
    await sleep(1)
    assert radio.stopped == []
    assert radio.daemon.outcome() == "refused"
    states = [report["state"] for report in radio.daemon.reports if report["session"] == before["session"]]
    assert states[-1] == "stopped"


@story
async def test_a_command_redelivered_to_a_restarted_program_stops_nothing() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    before = radio.daemon.last()
    await radio.client.close()
    again = Radio(daemon=radio.daemon)
    again.play()
    await sleep(1)
    radio.daemon.orders(before)
    await sleep(1)
    assert again.stopped == []
    assert radio.daemon.outcome() == "refused"


@story
async def test_a_stop_for_another_program_of_the_same_name_is_left_to_that_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = Radio()
    one.play("jazz")
    await sleep(3)
    two = Radio(daemon=one.daemon)
    two.play("rock")
    await sleep(3)
    await one.client._carry_out(_stop_of(one.daemon.last("rock")))
    assert "Give each its own source" in caplog.text
    one.daemon.orders(one.daemon.last("rock"))
    await sleep(12)
    assert (one.stopped, two.stopped) == ([], ["rock"])
    assert [ack["outcome"] for ack in one.daemon.acks] == ["ok"]


def _stop_of(report: Any) -> StopCommand:
    return StopCommand("c0", report["channel_id"], report["session"], "no_listeners", OnlyIf(0), 1e6)


@story
async def test_a_stop_of_a_session_of_ours_that_is_over_is_refused() -> None:
    radio = Radio()
    stream = radio.play()
    await sleep(1)
    report = radio.daemon.last()
    stream.ended()
    await sleep(1)
    radio.daemon.orders(report)
    radio.play("rock")
    await sleep(12)
    assert radio.daemon.outcome() == "refused"


@story
async def test_of_two_channels_only_the_one_that_is_named_is_stopped() -> None:
    radio = Radio()
    radio.play("jazz")
    radio.play("rock")
    await sleep(1)
    radio.daemon.orders(radio.daemon.last("rock"), "swapped", channel_id="jazz")
    await sleep(0.5)
    assert radio.stopped == []
    radio.daemon.orders(radio.daemon.last("rock"), "right")
    await sleep(1.5)
    assert radio.stopped == ["rock"]
    assert radio.daemon.last("jazz")["state"] == "live"


@story
async def test_a_paused_stream_is_left_alone() -> None:
    radio = Radio()
    radio.play().update(state=State.PAUSED)
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(0.5)
    assert radio.stopped == []


@story
async def test_a_command_that_came_while_the_loop_was_blocked_has_lapsed() -> None:
    radio = Radio()
    radio.play()
    await sleep(3)
    radio.daemon.redelivers = False
    radio.daemon.orders(radio.daemon.last(), valid_for_seconds=20)
    # The answer lies in the socket, and nobody comes to read it.
    virtual_time.loop().pass_blocked(21)
    await sleep(2)
    assert radio.stopped == []
    assert radio.daemon.outcome() is None


@story
async def test_somebody_who_came_while_a_slow_count_was_under_way_keeps_it_alive() -> None:
    radio = Radio()
    takes = iter([4.0, 0.1])

    async def count() -> int | None:
        counted = radio.there
        await sleep(next(takes, 0.1) if radio.counting_takes else 0.0)
        return counted

    radio.client.stream("jazz", stop=radio.stop, count=count)
    await sleep(1)
    radio.counting_takes = 1
    radio.daemon.orders(radio.daemon.last())
    await sleep(1)
    radio.there = 1
    await sleep(6)
    assert radio.stopped == []
    assert radio.daemon.outcome() == "refused"


@pytest.mark.parametrize(("second", "outcome"), [(0.1, "ok"), (4.0, "refused")])
def test_one_slow_count_before_a_stop_is_made_good_by_a_quick_one_and_two_are_not_enough(
    second: float, outcome: str
) -> None:
    async def told() -> None:
        radio = Radio()
        radio.play()
        await sleep(1)
        stream = radio.client._book.on_air("jazz")
        assert stream is not None
        takes = iter([4.0, second])

        async def count() -> int:
            await sleep(next(takes))
            return 0

        stream.count = count
        radio.daemon.orders(radio.daemon.last())
        await sleep(10)
        assert radio.daemon.outcome() == outcome

    virtual_time.tell(told)


@story
async def test_a_count_that_takes_too_long_lets_the_command_lapse() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    radio.counting_takes = 4
    radio.daemon.orders(radio.daemon.last(), valid_for_seconds=3)
    await sleep(3.5)
    radio.daemon.commands.clear()
    await sleep(10)
    assert radio.stopped == []


@story
async def test_a_stream_that_cannot_be_stopped_is_told_as_an_error_and_goes_on() -> None:
    radio = Radio()

    async def stop(_: StopCommand) -> None:
        raise RuntimeError("the encoder does not answer")

    radio.client.stream("jazz", stop=stop, count=radio.count)
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(1)
    assert radio.daemon.outcome() == "error"
    assert "encoder" in radio.daemon.detail()
    await sleep(6)
    assert radio.daemon.last()["state"] == "live"


@story
async def test_a_stop_that_hangs_is_given_up_and_told() -> None:
    radio = Radio()

    async def stop(_: StopCommand) -> None:
        await sleep(1e6)

    radio.client.stream("jazz", stop=stop, count=radio.count)
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(STOP_PATIENCE + 2)
    assert radio.daemon.outcome() == "error"
    assert radio.daemon.last()["state"] == "live"


@story
async def test_an_hour_without_the_daemon_is_survived_and_healed_by_one_snapshot() -> None:
    radio = Radio()
    jazz = radio.play()
    await sleep(3)
    radio.daemon.away = True
    radio.there = 7
    requests = radio.daemon.requests
    for number in range(60):
        jazz.update(joins=number, queue_size=number)
        radio.play("short").ended()
        await sleep(60)
    assert radio.daemon.requests - requests < 1000
    assert len(radio.client._book._pages) == 1
    assert len(radio.client._book._farewells) == 1
    assert len(radio.client._tasks) < 5
    came_back, reports = virtual_time.now(), len(radio.daemon.reports)
    radio.daemon.away = False
    while len(radio.daemon.reports) < reports + 2:
        await sleep(0.1)
    assert virtual_time.now() - came_back < 11
    await sleep(0.5)
    assert radio.daemon.last("jazz")["listeners"] == 7
    assert radio.daemon.last("jazz")["joins"] == 59
    assert radio.daemon.last("short")["state"] == "stopped"


@story
async def test_an_answer_that_is_lost_costs_neither_a_report_nor_an_acknowledgement() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    radio.daemon.orders(radio.daemon.last())
    await sleep(0.02)
    radio.daemon.deaf = True
    await sleep(30)
    radio.daemon.deaf = False
    await sleep(12)
    assert radio.stopped == ["jazz"]
    assert radio.daemon.outcome() == "ok"
    assert radio.daemon.last()["state"] == "stopped"


@story
async def test_acknowledgements_that_nobody_hears_are_bounded() -> None:
    radio = Radio()
    radio.play()
    await sleep(1)
    report = radio.daemon.last()
    for number in range(3 * UNHEARD_MAX):
        radio.client._decline(_unreadable(f"c{number}"))
    assert len(radio.client._outcomes.unheard()) == UNHEARD_MAX
    assert len(radio.client._outcomes._known) == UNHEARD_MAX
    assert report["state"] == "live"


def _unreadable(identity: str) -> Any:
    from sattva_streamer.command import Unreadable

    return Unreadable("not understood", identity)


GARBAGE: list[Any] = [
    {},
    [],
    "ok",
    5,
    {"commands": "none"},
    {"commands": [None, 5, {}, {"id": "x"}]},
    {"commands": [], "accepted": "many", "duplicates": -5, "report_every_seconds": "soon"},
    {"commands": [{"id": "x", "type": "stop", "channel_id": "jazz", "session": "?", "reason": "no_listeners"}]},
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: json.dumps(garbage)[:40])
def test_garbage_stops_nothing_breaks_nothing_and_does_not_make_us_hurry(garbage: Any) -> None:
    async def told() -> None:
        radio = Radio()
        radio.play()
        await sleep(3)
        radio.daemon.says = garbage
        requests = radio.daemon.requests
        await sleep(60)
        assert radio.daemon.requests - requests < 200
        radio.daemon.says = None
        await sleep(12)
        assert radio.stopped == []
        assert radio.daemon.last()["listeners"] == 0
        radio.daemon.orders(radio.daemon.last())
        await sleep(1)
        assert radio.stopped == ["jazz"]

    virtual_time.tell(told)


@story
async def test_a_condition_that_got_lost_on_the_way_is_an_error_and_no_force() -> None:
    radio = Radio()
    radio.there = 3
    radio.play()
    await sleep(1)
    radio.daemon.orders(radio.daemon.last(), only_if=None)
    await sleep(1)
    assert radio.stopped == []
    assert radio.daemon.outcome() == "error"


@story
async def test_an_operator_may_stop_what_is_heard() -> None:
    radio = Radio()
    radio.there = 3
    radio.play()
    await sleep(1)
    radio.daemon.orders(radio.daemon.last(), only_if=None, reason="operator")
    await sleep(1)
    assert radio.stopped == ["jazz"]


@story
async def test_a_daemon_that_never_answers_blocks_nothing() -> None:
    radio = Radio()
    radio.daemon.silent = True
    stream = radio.play()
    ticks = 0
    for _ in range(600):
        stream.update(queue_size=ticks)
        await sleep(1)
        ticks += 1
    assert ticks == 600
    assert radio.daemon.requests < 200


@story
async def test_a_daemon_that_answers_a_held_request_at_once_is_not_flooded() -> None:
    radio = Radio()
    radio.daemon.holds = False
    radio.play()
    await sleep(60)
    assert radio.daemon.requests < 90


@story
async def test_a_clock_an_hour_off_changes_nothing_and_one_set_back_between_runs_is_noticed() -> None:
    radio = Radio(wall_is_ahead=3600)
    radio.play()
    await sleep(3)
    first = radio.daemon.last()
    assert first["started_at"] == "2027-01-15T09:00:00.000Z"
    await radio.client.close()
    # The program starts again after its clock was set right: its start is before the last one's.
    again = Radio(daemon=radio.daemon)
    again.there = 2
    again.play()
    again.play("rock")
    await sleep(3)
    last = radio.daemon.last("jazz")
    assert last["session"] != first["session"]
    assert last["listeners"] == 2
    assert "started_at" not in last
    assert "started_at" in radio.daemon.last("rock")
    again.there = 0
    await sleep(6)
    radio.daemon.orders(radio.daemon.last("jazz"))
    await sleep(1)
    assert again.stopped == ["jazz"]


@story
async def test_a_wall_clock_set_while_it_runs_makes_no_count_younger_or_older() -> None:
    ahead = 0.0
    daemon = MemoryDaemon()
    client = Client("http://x", "r", transport=daemon, clock=virtual_time.clock(lambda: ahead))
    client.start()

    async def stop(_: StopCommand) -> None:
        raise AssertionError

    stream = client.stream("jazz", stop=stop)
    await sleep(1)
    stream.update(listeners=0)
    await sleep(1)
    first = daemon.last()
    assert first["observed_at"] == "2027-01-15T08:00:01.000Z"
    # By whichever clock it is written, it is as old as it is.
    for ahead in (3600.0, -7200.0):
        await sleep(10)
        age = virtual_time.BEGINS_AT + daemon.heard_at[-1] + ahead - _seconds(daemon.last()["observed_at"])
        assert abs(age - (daemon.heard_at[-1] - 1)) < 0.1, ahead
        assert daemon.last()["started_at"] == first["started_at"]
        assert daemon.last()["seq"] > first["seq"]
    await client.close()


def _seconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp()


@story
async def test_two_programs_under_one_name_are_told_of_and_do_not_fight() -> None:
    one = Radio()
    one.play()
    await sleep(3)
    two = Radio(daemon=one.daemon)
    two.play()
    await sleep(20)
    sessions = [report["session"] for report in one.daemon.reports]
    flips = sum(1 for a, b in itertools.pairwise(sessions) if a != b)
    assert flips == 1


@story
async def test_a_stream_that_another_program_took_over_makes_no_extra_requests() -> None:
    one = Radio()
    for number in range(100):
        one.play(f"c{number}", counts=False)
    await sleep(3)
    two = Radio(daemon=one.daemon)
    two.play("c7")
    await sleep(30)
    before = one.daemon.requests
    await sleep(60)
    # Two programs, a round every 5 s and a held request every 10 s each.
    assert one.daemon.requests - before < 60


@story
async def test_a_full_house_makes_no_extra_requests() -> None:
    radio = Radio()
    original = radio.daemon.post

    async def full(body: Any, patience: float) -> object:
        answer = await original(body, patience)
        assert isinstance(answer, dict)
        return {**answer, "accepted": 0, "refused": len(body["reports"])}

    radio.daemon.post = full  # type: ignore[method-assign]
    for number in range(100):
        radio.play(f"c{number}", counts=False)
    await sleep(60)
    assert radio.daemon.requests < 40


@story
async def test_a_report_the_daemon_cannot_take_does_not_hold_up_the_others() -> None:
    radio = Radio()
    radio.play("bad")
    radio.play("good")
    await sleep(1)

    original = radio.daemon.post

    async def picky(body: Any, patience: float) -> object:
        for index, report in enumerate(body["reports"]):
            if report["channel_id"] == "bad":
                raise Rejected(400, "bad_report", "no", f"reports[{index}].track", None)
        return await original(body, patience)

    radio.daemon.post = picky  # type: ignore[method-assign]
    before = len(radio.daemon.reports)
    await sleep(20)
    assert len([r for r in radio.daemon.reports[before:] if r["channel_id"] == "good"]) >= 3


@story
async def test_a_full_house_is_asked_again_when_it_says() -> None:
    radio = Radio()
    radio.daemon.rejects = Rejected(503, "busy", "too busy", "", 30.0)
    radio.play()
    await sleep(29)
    assert radio.daemon.requests == 2
    radio.daemon.rejects = None
    await sleep(5)
    assert radio.daemon.last()["state"] == "live"


@story
async def test_a_request_that_is_too_large_is_sent_in_pieces() -> None:
    radio = Radio()
    original = radio.daemon.post

    async def small(body: Any, patience: float) -> object:
        if len(body["reports"]) > 100:
            raise Rejected(413, "too_large", "less at once", "", None)
        return await original(body, patience)

    radio.daemon.post = small  # type: ignore[method-assign]
    for number in range(450):
        radio.play(f"c{number}", counts=False)
    await sleep(4)
    assert len({report["channel_id"] for report in radio.daemon.reports}) == 450


@story
async def test_closing_says_the_last_words_but_not_that_a_stream_is_over() -> None:
    radio = Radio()
    radio.play("goes-on")
    ends = radio.play("ends")
    await sleep(1)
    ends.ended()
    await radio.client.close()
    assert radio.daemon.closed
    assert radio.daemon.last("ends")["state"] == "stopped"
    assert radio.daemon.last("goes-on")["state"] == "live"


@story
async def test_after_closing_it_can_be_started_again_and_its_streams_made_anew() -> None:
    radio = Radio()
    before = radio.play()
    await sleep(1)
    await radio.client.close()
    reports = len(radio.daemon.reports)
    before.update(listeners=5)
    await sleep(10)
    assert len(radio.daemon.reports) == reports
    radio.client.start()
    radio.play()
    radio.there = 2
    await sleep(6)
    assert radio.daemon.last()["session"] != before.session
    assert radio.daemon.last()["listeners"] == 2
    radio.there = 0
    await sleep(6)
    radio.daemon.orders(radio.daemon.last())
    await sleep(1)
    assert radio.stopped == ["jazz"]


def test_a_stream_made_before_the_loop_runs_is_counted() -> None:
    loop = virtual_time.VirtualLoop()
    try:
        daemon = MemoryDaemon()
        client = Client("http://x", "r", transport=daemon, clock=Clock(now=loop.time))

        async def count() -> int:
            return 3

        async def stop(_: StopCommand) -> None:
            raise AssertionError

        client.start(loop)
        client.stream("jazz", stop=stop, count=count)

        async def main() -> None:
            await sleep(3)
            await client.close()

        loop.run_until_complete(main())
        assert daemon.last("jazz")["listeners"] == 3
    finally:
        loop.close()


@story
async def test_closing_does_not_wait_for_a_daemon_that_is_away() -> None:
    radio = Radio()
    radio.daemon.silent = True
    radio.play().ended()
    began = virtual_time.now()
    await radio.client.close()
    assert virtual_time.now() - began <= 2.1


@story
async def test_a_mistake_of_ours_is_logged_and_does_not_end_the_reports() -> None:
    logging.disable(logging.CRITICAL)
    try:
        radio = Radio()
        radio.play()
        await sleep(1)
        broken = radio.client._book.next_batch

        def once() -> Any:
            radio.client._book.next_batch = broken  # type: ignore[method-assign]
            raise ZeroDivisionError

        radio.client._book.next_batch = once  # type: ignore[method-assign]
        await sleep(20)
        assert radio.daemon.reports[-1]["seq"] > 3
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 129, "ü", "a\n"])
def test_a_source_that_the_daemon_would_not_take_is_an_error_at_the_start(wrong: str) -> None:
    with pytest.raises(ValueError, match="source"):
        Client("http://127.0.0.1:8080", wrong)


@pytest.mark.parametrize("wrong", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://h/?a=b"])
def test_an_address_that_is_none_is_an_error_at_the_start(wrong: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Client(wrong, "radio-1")


@pytest.mark.parametrize("wrong", ["5", 0, -1, 1e9, float("nan"), None])
def test_an_interval_that_the_daemon_would_not_take_is_an_error_at_the_start(wrong: Any) -> None:
    async def told() -> None:
        radio = Radio()
        with pytest.raises(ValueError, match="interval"):
            radio.client.stream("jazz", stop=radio.stop, interval=wrong)

    virtual_time.tell(told)
