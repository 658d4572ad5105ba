"""Voice chats in virtual time: a real Telegram client and py-tgcalls' real bridge, cache and dispatch.

Telegram is answered from memory. Only the native engine is left out, because its threads know no virtual time:
`test_engine.py` has it.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pytgcalls import PyTgCalls

import virtual_time
from memory_daemon import MemoryDaemon
from sattva_streamer import Track
from sattva_streamer.clock import Clock
from sattva_streamer.telegram import TelegramMonitor
from telegram_stand import memory_client
from voice_chats import ME, Telegram, chat_id

sleep = asyncio.sleep

CHAT = chat_id(777)
RECORDER = 99


class HollowCalls(PyTgCalls):
    """py-tgcalls without its native engine."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self.playing: dict[int, str] = {}
        self.leaving_takes = 0.0
        self.engine_is_stuck = False
        self.left: list[int] = []
        self.cut_off = 0
        """Listeners who were there when a stream was left."""

    @property
    async def calls(self) -> dict[int, Any]:
        if self.engine_is_stuck:
            await sleep(1e6)
        return {chat: SimpleNamespace(capture=SimpleNamespace(name=state)) for chat, state in self.playing.items()}

    async def play(self, chat: int, join_as: Any = None) -> None:
        self.cache_user_peer.put(chat, join_as or self.cache_peer)
        self.playing[chat] = "ACTIVE"
        await self._app.get_input_call(chat)
        await self._app.join_group_call(chat, "{}", True, self.cache_user_peer.get(chat))

    async def leave_call(self, chat: int, close: bool = False) -> None:
        async with await self._chat_lock.acquire(chat):
            await sleep(self.leaving_takes)
            self.left.append(chat)
            voice_chat = self.mtproto_client.telegram.chats[-1_000_000_000_000 - chat]
            self.cut_off += len(set(voice_chat.participants) - {ME})
            self.playing.pop(chat, None)
            await self._app.leave_group_call(chat)
            self._clear_cache(chat)


class Bot:
    """A bot with the package's three lines in it."""

    def __init__(self, *, wall_is_ahead: float = 0.0, **options: Any) -> None:
        self.telegram = Telegram()
        self.telegram.open(777)
        self.client = memory_client(self.telegram)
        self.calls = HollowCalls(self.client)
        self.daemon = MemoryDaemon()
        clock = virtual_time.clock(lambda: wall_is_ahead)
        self.monitor = TelegramMonitor(self.calls, "http://x", "bot", transport=self.daemon, clock=clock, **options)
        self.monitor.start()

    async def on_air(self, channel: int = 777, join_as: Any = None) -> None:
        self.telegram.open(channel)
        if not self.calls._is_running:
            await self.calls.start()
        await self.calls.play(chat_id(channel), join_as)
        await sleep(2)

    def listeners(self, channel: int = 777) -> Any:
        return self.daemon.last(chat_id(channel))["listeners"]

    def sneak(self, user: int, channel: int = 777) -> None:
        """Joins, and no update tells it."""
        self.telegram.chats[channel].participants[user] = user

    def vanish(self, user: int, channel: int = 777) -> None:
        """Leaves, and no update tells it."""
        del self.telegram.chats[channel].participants[user]

    def orders_stop(self, channel: int = 777, **changes: Any) -> None:
        report = self.daemon.last(chat_id(channel))
        if report["joins"] is not None:
            changes.setdefault("only_if", {"listeners_at_most": 0, "joins": report["joins"]})
        self.daemon.orders(report, **changes)


def story(told: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test in virtual time, which py-tgcalls' cache then keeps too."""
    wants_the_log = bool(inspect.signature(told).parameters)

    def run(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        async def with_its_cache() -> None:
            loop = virtual_time.loop()
            monkeypatch.setattr("pytgcalls.types.cache.time", lambda: virtual_time.BEGINS_AT + loop.time())
            await (told(caplog) if wants_the_log else told())

        virtual_time.tell(with_its_cache)

    run.__name__, run.__doc__ = getattr(told, "__name__", "story"), told.__doc__
    return run


@story
async def test_three_lines_report_who_listens_and_we_are_nobody() -> None:
    bot = Bot()
    await bot.on_air()
    report = bot.daemon.last(CHAT)
    assert (report["state"], report["listeners"], report["joins"]) == ("live", 0, 0)
    assert report["interval_seconds"] == 15
    await bot.client.join(777, 1001)
    await bot.client.join(777, 1002)
    await sleep(0.5)
    assert (bot.listeners(), bot.daemon.last()["joins"]) == (2, 2)
    await bot.client.leave(777, 1001)
    await sleep(6)
    assert bot.listeners() == 1
    await bot.client.leave(777, 1002)
    await sleep(1.5)
    assert (bot.listeners(), bot.daemon.last()["joins"]) == (0, 2)


@story
async def test_who_was_there_before_us_counts() -> None:
    bot = Bot()
    bot.sneak(1001)
    bot.sneak(1002)
    await bot.on_air()
    assert (bot.listeners(), bot.daemon.last()["joins"]) == (2, 2)


@story
async def test_a_join_is_told_within_a_moment() -> None:
    bot = Bot()
    await bot.on_air()
    await sleep(3)
    await bot.client.join(777, 1001)
    await sleep(0.3)
    assert bot.listeners() == 1


@story
async def test_hidden_listeners_are_listeners_though_the_list_is_empty() -> None:
    bot = Bot()
    bot.telegram.chats[777].hidden = True
    bot.sneak(1001)
    await bot.on_air()
    assert (bot.listeners(), bot.daemon.last()["joins"]) == (1, None)
    assert 1001 not in [participant.user_id for participant in await bot.calls.get_participants(CHAT)]
    bot.orders_stop()
    await sleep(1)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")
    bot.vanish(1001)
    await sleep(16)
    assert bot.listeners() == 0
    bot.orders_stop(identity="c2")
    await sleep(1)
    assert bot.calls.left == [CHAT]


@story
async def test_after_a_quiet_hour_the_last_leave_and_the_next_join_are_still_seen() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.client.join(777, 1001)
    await sleep(3700)
    assert bot.listeners() == 1
    await bot.client.leave(777, 1001)
    await sleep(16)
    assert bot.listeners() == 0
    await sleep(3700)
    assert bot.listeners() == 0
    await bot.client.join(777, 1002)
    await sleep(16)
    assert bot.listeners() == 1


@story
async def test_a_listener_through_many_quiet_hours_is_never_reported_as_gone() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.client.join(777, 1001)
    await sleep(1)
    before = len(bot.daemon.reports)
    await sleep(2.5 * 3600)
    assert {report["listeners"] for report in bot.daemon.reports[before:]} == {1}


@story
async def test_kicked_and_joined_is_one_who_stays() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.client.join(777, 1001)
    await sleep(20.3)
    before = len(bot.daemon.reports)
    for _ in range(5):
        await bot.client.rejoin(777, 1001)
        await sleep(2)
    assert {report["listeners"] for report in bot.daemon.reports[before:]} == {1}
    assert bot.daemon.last()["joins"] == 1


@story
async def test_a_ghost_in_the_list_is_nobody_once_the_server_says_so() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.client.join(777, 1001)
    await sleep(1)
    bot.vanish(1001)
    await sleep(16)
    assert bot.listeners() == 0
    assert 1001 in [participant.user_id for participant in await bot.calls.get_participants(CHAT)]


@story
async def test_somebody_whom_no_update_announced_keeps_it_alive() -> None:
    bot = Bot()
    await bot.on_air()
    bot.orders_stop()
    bot.sneak(1001)
    await sleep(0.5)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")


@story
async def test_somebody_who_joins_while_the_server_is_asked_before_the_stop_keeps_it_alive() -> None:
    bot = Bot()
    await bot.on_air()
    bot.telegram.slow = 1.0
    bot.orders_stop()
    await sleep(0.5)
    await bot.client.join(777, 1001)
    await sleep(5)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")


@story
async def test_where_telegram_does_not_answer_it_is_unknown_after_45_seconds_and_not_stopped() -> None:
    bot = Bot()
    await bot.on_air()
    bot.telegram.broken = True
    await sleep(40)
    bot.orders_stop()
    await sleep(1)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")
    await sleep(30)
    assert bot.listeners() is None
    bot.telegram.broken = False
    await sleep(16)
    assert bot.listeners() == 0


@story
async def test_a_server_that_takes_for_ever_is_as_good_as_none() -> None:
    bot = Bot()
    await bot.on_air()
    bot.telegram.slow = 1e5
    bot.orders_stop()
    await sleep(8)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")
    await sleep(60)
    assert bot.listeners() is None


@story
async def test_a_disconnection_that_cancels_every_request_does_not_end_the_counting() -> None:
    bot = Bot()
    await bot.on_air()
    bot.telegram.cancels = True
    await sleep(20)
    bot.orders_stop()
    await sleep(1)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")
    bot.telegram.cancels = False
    bot.sneak(1001)
    await sleep(30)
    assert bot.listeners() == 1


@pytest.mark.parametrize("slow", [1.0, 1.4, 1.8, 3.0, 1e5])
def test_a_count_that_is_given_up_leaves_nothing_waiting_in_the_library(slow: float) -> None:
    async def told() -> None:
        bot = Bot()
        if not hasattr(bot.client, "waiting"):
            pytest.skip("Telethon forgets a request that is cancelled")
        await bot.on_air()
        bot.telegram.slow = slow
        await sleep(600)
        bot.telegram.slow = 0
        await sleep(30)
        assert bot.client.waiting == []
        assert bot.listeners() == 0

    virtual_time.tell(told)


@story
async def test_a_leave_that_leads_to_zero_while_telegram_is_mute_is_never_told_as_zero() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.client.join(777, 1001)
    await sleep(16)
    bot.telegram.broken = True
    before = len(bot.daemon.reports)
    await bot.client.leave(777, 1001)
    await sleep(120)
    assert {report["listeners"] for report in bot.daemon.reports[before:]} == {1, None}


@story
async def test_an_empty_voice_chat_is_left_and_told_as_ok_and_stopped() -> None:
    bot = Bot()
    await bot.on_air()
    bot.orders_stop()
    await sleep(1)
    assert bot.calls.left == [CHAT]
    assert bot.daemon.outcome() == "ok"
    assert bot.daemon.last(CHAT)["state"] == "stopped"
    assert ME not in bot.telegram.chats[777].participants


@story
async def test_two_voice_chats_are_counted_and_stopped_apart() -> None:
    bot = Bot()
    await bot.on_air(777)
    await bot.on_air(778)
    await bot.client.join(778, 1001)
    await sleep(1)
    assert (bot.listeners(777), bot.listeners(778)) == (0, 1)
    bot.orders_stop(777, channel_id=str(chat_id(778)))
    await sleep(0.5)
    assert bot.calls.left == []
    bot.orders_stop(777, identity="c2")
    await sleep(1.5)
    assert bot.calls.left == [chat_id(777)]
    assert bot.daemon.last(chat_id(778))["state"] == "live"


@story
async def test_playing_as_the_channel_its_owner_who_listens_is_a_listener() -> None:
    bot = Bot()
    bot.sneak(ME)
    await bot.on_air(join_as=await bot.calls._app.resolve_peer(CHAT))
    assert bot.listeners() == 1
    bot.orders_stop()
    await sleep(1)
    assert bot.calls.left == []
    await bot.client.leave(777, ME)
    await sleep(2)
    assert bot.listeners() == 0
    await bot.client.join(777, ME)
    await sleep(0.5)
    assert bot.listeners() == 1


@story
async def test_a_recorder_that_is_named_is_no_listener_while_it_is_there_and_only_then() -> None:
    bot = Bot(not_listeners=[RECORDER])
    bot.sneak(RECORDER)
    await bot.on_air()
    assert bot.listeners() == 0
    await bot.client.join(777, 1001)
    await sleep(0.5)
    assert bot.listeners() == 1
    # It leaves and nobody is told: who is left is the listener.
    bot.vanish(RECORDER)
    await sleep(16)
    assert bot.listeners() == 1
    bot.orders_stop()
    await sleep(1)
    assert bot.calls.left == []


@story
async def test_one_who_is_there_without_us_is_a_listener() -> None:
    bot = Bot()
    await bot.on_air()
    bot.vanish(ME)  # put out, and no update tells it
    bot.sneak(1001)
    await sleep(16)
    assert bot.listeners() == 1


@story
async def test_a_hidden_listener_where_we_are_no_longer_is_not_taken_for_us() -> None:
    bot = Bot()
    bot.telegram.chats[777].hidden = True
    await bot.on_air()
    assert bot.listeners() == 0
    bot.vanish(ME)  # put out, and no update tells it
    bot.sneak(1001)
    bot.orders_stop()
    await sleep(1)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")
    assert bot.listeners() is None
    bot.vanish(1001)
    await sleep(16)
    assert bot.listeners() is None
    bot.sneak(ME)
    await sleep(16)
    assert bot.listeners() == 0


@story
async def test_a_recorder_and_a_listener_without_us_are_not_taken_for_the_recorder_and_us() -> None:
    bot = Bot(not_listeners=[RECORDER])
    bot.sneak(RECORDER)
    await bot.on_air()
    assert bot.listeners() == 0
    bot.vanish(ME)
    bot.sneak(1001)
    bot.orders_stop()
    await sleep(1)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")
    await sleep(60)
    assert bot.listeners() != 0


@story
async def test_one_id_that_nobody_knows_is_a_listener_and_does_not_end_the_counting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bot = Bot(not_listeners=[RECORDER, 98])
    bot.telegram.strangers.add(98)
    bot.sneak(RECORDER)
    await bot.on_air()
    assert bot.listeners() == 0
    bot.sneak(98)
    await sleep(60)
    assert bot.listeners() == 1
    assert [record.getMessage()[:54] for record in caplog.records if "98" in record.getMessage()] == [
        "not_listeners: the account does not know the user 98, "
    ]
    bot.telegram.strangers.clear()
    await sleep(16)
    assert bot.listeners() == 0


@story
async def test_while_we_are_still_joining_nothing_is_known() -> None:
    bot = Bot()
    await bot.calls.start()
    bot.sneak(1001)
    bot.telegram.chats[777].hidden = True
    bot.calls._wait_connect[CHAT] = asyncio.get_running_loop().create_future()
    bot.calls.playing[CHAT] = "ACTIVE"
    await sleep(10)
    assert {report["listeners"] for report in bot.daemon.reports} == {None}
    bot.telegram.chats[777].participants[ME] = ME
    del bot.calls._wait_connect[CHAT]
    await sleep(16)
    assert bot.listeners() == 1


@story
async def test_a_stop_waits_for_what_the_bot_itself_is_doing_and_counts_again() -> None:
    bot = Bot()
    await bot.on_air()
    async with await bot.calls._chat_lock.acquire(CHAT):
        bot.orders_stop()
        await sleep(2)
        bot.sneak(1001)
    await sleep(1)
    assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")


@story
async def test_a_bot_that_never_gets_done_is_told_as_refused() -> None:
    bot = Bot()
    await bot.on_air()
    async with await bot.calls._chat_lock.acquire(CHAT):
        bot.orders_stop()
        await sleep(10)
        assert (bot.calls.left, bot.daemon.outcome()) == ([], "refused")


@story
async def test_pause_and_the_gap_between_tracks_are_told() -> None:
    bot = Bot()
    await bot.on_air()
    bot.calls.playing[CHAT] = "PAUSED"
    await sleep(1.5)
    assert bot.daemon.last()["state"] == "paused"
    bot.orders_stop()
    await sleep(0.5)
    assert bot.calls.left == []
    bot.calls.playing[CHAT] = "IDLING"
    await sleep(1.5)
    assert bot.daemon.last()["state"] == "idle"
    bot.calls.playing[CHAT] = "ACTIVE"
    await sleep(1.5)
    assert bot.daemon.last()["state"] == "live"


@story
async def test_a_stream_that_ends_and_one_that_begins_are_two_sessions() -> None:
    bot = Bot()
    await bot.on_air()
    first = bot.daemon.last()["session"]
    await bot.calls.leave_call(CHAT)
    await sleep(2)
    assert bot.daemon.last()["state"] == "stopped"
    await bot.on_air()
    assert bot.daemon.last()["state"] == "live"
    assert bot.daemon.last()["session"] != first
    bot.daemon.orders(next(r for r in bot.daemon.reports if r["session"] == first))
    await sleep(1)
    assert bot.calls.left == [CHAT]
    assert bot.daemon.outcome() == "refused"


@story
async def test_a_source_that_comes_back_at_once_after_a_stop_is_a_new_session() -> None:
    bot = Bot()
    await bot.on_air()
    first = bot.daemon.last()["session"]
    bot.orders_stop()
    await sleep(0.02)
    while not bot.calls.left:
        await sleep(0.01)
    await bot.calls.play(CHAT)
    await sleep(3)
    ended = [r["state"] for r in bot.daemon.reports if r["session"] == first]
    assert ended[-1] == "stopped"
    assert bot.daemon.last()["session"] != first
    assert bot.daemon.outcome() == "ok"


@story
async def test_an_engine_that_is_stuck_ends_nothing_and_the_counts_go_on() -> None:
    bot = Bot()
    await bot.on_air()
    bot.calls.engine_is_stuck = True
    await bot.client.join(777, 1001)
    await sleep(100)
    assert bot.daemon.last()["state"] == "live"
    assert bot.listeners() == 1


@story
async def test_a_voice_chat_that_was_closed_and_opened_anew_is_counted() -> None:
    bot = Bot()
    await bot.on_air()
    bot.telegram.chats[777].number += 1000
    bot.sneak(1001)
    await sleep(40)
    assert bot.listeners() == 1


@story
async def test_an_hour_without_the_daemon_and_a_clock_an_hour_ahead_are_survived() -> None:
    bot = Bot(wall_is_ahead=3600)
    await bot.on_air()
    bot.daemon.away = True
    await bot.client.join(777, 1001)
    await sleep(3600)
    bot.daemon.away = False
    await sleep(11)
    assert bot.listeners() == 1
    bot.orders_stop()
    await sleep(1)
    assert bot.calls.left == []
    await bot.client.leave(777, 1001)
    await sleep(3)
    bot.orders_stop(identity="c2")
    await sleep(1)
    assert bot.calls.left == [CHAT]


@story
async def test_a_loop_that_was_blocked_carries_out_nothing_old() -> None:
    bot = Bot()
    await bot.on_air()
    bot.daemon.redelivers = False
    bot.orders_stop()
    virtual_time.loop().pass_blocked(70)
    await sleep(2)
    assert bot.calls.left == []
    assert bot.listeners() == 0


@story
async def test_the_server_is_asked_about_every_15_seconds_and_not_more() -> None:
    bot = Bot()
    await bot.on_air()
    asked = bot.telegram.asked["GetGroupCall"]
    await sleep(600)
    assert 39 <= bot.telegram.asked["GetGroupCall"] - asked <= 42


@story
async def test_what_only_the_bot_knows_is_passed_on_also_when_it_is_said_too_early() -> None:
    bot = Bot()
    bot.monitor.say(CHAT, track=Track("So What"), queue_size=4)
    await bot.on_air()
    assert bot.daemon.last()["track"] == {"title": "So What"}
    bot.monitor.say(CHAT, queue_size=3, queue_ops={"skip": 1})
    await sleep(1)
    report = bot.daemon.last()
    assert (report["queue_size"], report["queue_ops"], report["track"]) == (3, {"skip": 1}, {"title": "So What"})


@story
async def test_a_bot_that_ends_streams_its_own_way_is_asked_to() -> None:
    ended: list[int] = []

    async def leave(chat: int) -> None:
        ended.append(chat)

    bot = Bot(leave=leave)
    await bot.on_air()
    bot.orders_stop()
    await sleep(8)
    # It said it would and did not: that is an error, and the stream is still reported.
    assert ended == [CHAT]
    assert bot.daemon.outcome() == "error"
    assert bot.daemon.last()["state"] == "live"


@story
async def test_a_handler_of_ours_never_raises_into_py_tgcalls() -> None:
    bot = Bot()
    seen: list[str] = []

    @bot.calls.on_update()  # type: ignore[untyped-decorator]
    async def other(_: Any, update: Any) -> None:
        seen.append(type(update).__name__)

    await bot.on_air()

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    bot.monitor._calls[CHAT].somebody = broken  # type: ignore[method-assign, assignment]
    await bot.client.join(777, 1001)
    await sleep(16)
    assert seen
    assert bot.listeners() == 1


@story
async def test_closing_the_monitor_does_not_say_that_what_plays_is_over() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.monitor.close()
    assert bot.daemon.last()["state"] == "live"


@story
async def test_a_monitor_that_was_closed_and_started_again_watches_as_before() -> None:
    bot = Bot()
    await bot.on_air()
    first = bot.daemon.last()["session"]
    await bot.monitor.close()
    await sleep(5)
    bot.monitor.start()
    await sleep(3)
    assert (bot.listeners(), bot.daemon.last()["state"]) == (0, "live")
    assert bot.daemon.last()["session"] != first
    await bot.client.join(777, 1001)
    await sleep(0.5)
    # Once: the handler was not added twice.
    assert (bot.listeners(), bot.daemon.last()["joins"]) == (1, 1)
    await bot.client.leave(777, 1001)
    await sleep(2)
    bot.orders_stop()
    await sleep(1)
    assert bot.calls.left == [CHAT]


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_whatever_happens_nobody_is_cut_off_and_an_empty_chat_can_be_ended(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hours of joins, leaves, lost updates, hidden lists, outages and stops that come at any time."""
    chance = random.Random(seed)

    async def told() -> None:
        loop = virtual_time.loop()
        monkeypatch.setattr("pytgcalls.types.cache.time", lambda: virtual_time.BEGINS_AT + loop.time())
        bot = Bot()
        ended = orders = 0
        await bot.on_air()
        for number in range(400):
            await sleep(chance.choice([0.01, 0.2, 1, 5, 20, 60, 300]))
            chat = bot.telegram.chats[777]
            user = chance.randrange(1001, 1004)
            there = user in chat.participants
            what = chance.randrange(12)
            if what < 2 and not there:
                bot.sneak(user) if chat.hidden or chance.random() < 0.3 else await bot.client.join(777, user)
            elif what < 5 and there:
                bot.vanish(user) if chat.hidden or chance.random() < 0.3 else await bot.client.leave(777, user)
            elif what == 5 and there and not chat.hidden:
                await bot.client.rejoin(777, user)
            elif what == 6:
                chat.hidden = chance.random() < 0.3
            elif what == 7:
                bot.telegram.broken = chance.random() < 0.3
                bot.telegram.slow = chance.choice([0, 0.1, 1, 5])
            elif what == 8:
                bot.daemon.away, bot.daemon.deaf = chance.random() < 0.2, chance.random() < 0.2
            elif what == 9:
                loop.pass_blocked(chance.choice([0.5, 10, 90]))
            elif bot.daemon.reports:
                report = chance.choice(bot.daemon.reports[-3:])
                orders += 1
                bot.daemon.orders(report, f"c{chance.randrange(number + 1)}")
            if not bot.calls.playing:
                ended += 1
                await bot.calls.play(CHAT)
        assert bot.calls.cut_off == 0
        assert ended, f"{orders} orders and nothing ever ended"

    virtual_time.tell(told)


def test_it_may_be_started_before_the_loop_runs() -> None:
    loop = virtual_time.VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        telegram = Telegram()
        telegram.open(777)
        calls = HollowCalls(memory_client(telegram))
        daemon = MemoryDaemon()
        monitor = TelegramMonitor(calls, "http://x", "bot", transport=daemon, clock=Clock(now=loop.time))
        monitor.start()
        monitor.start()

        async def main() -> None:
            await calls.start()
            await calls.play(CHAT)
            await sleep(3)
            await monitor.close()

        loop.run_until_complete(main())
        assert daemon.last(CHAT)["listeners"] == 0
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@story
async def test_two_bots_in_one_voice_chat_that_name_each_other_see_it_empty() -> None:
    bot = Bot(not_listeners=[RECORDER])
    bot.sneak(RECORDER)
    await bot.on_air()
    bot.orders_stop()
    await sleep(1)
    assert bot.calls.left == [CHAT]


@story
async def test_a_cancelled_program_leaves_nothing_running() -> None:
    bot = Bot()
    await bot.on_air()
    await bot.monitor.close()
    await sleep(1)
    ours = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("sattva")]
    assert ours == []


def test_a_client_of_another_library_is_an_error_at_the_start() -> None:
    calls = SimpleNamespace(mtproto_client=object())
    with pytest.raises(TypeError, match="Telethon, kurigram or pyrofork"):
        TelegramMonitor(calls, "http://127.0.0.1:8080", "bot")


def test_the_stories_run_in_virtual_time() -> None:
    began = time.monotonic()
    virtual_time.tell(lambda: sleep(86_400))
    assert time.monotonic() - began < 5
