"""The whole of it: py-tgcalls with its native engine plays with ffmpeg, HTTP is real, Telegram is in memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytgcalls import PyTgCalls

from http_daemon import HttpDaemon, serving
from sattva_streamer.client import CHANGE_GAP
from sattva_streamer.telegram import TelegramMonitor
from telegram_stand import ffmpegs, memory_client, silence, sound
from voice_chats import Telegram, chat_id

CHAT = chat_id(777)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute to play."""
    return silence(tmp_path_factory.mktemp("sound"), 60)


class Bot:
    """A bot that plays, and its daemon."""

    def __init__(self, url: str, daemon: HttpDaemon, file: Path) -> None:
        self.daemon = daemon
        self.file = file
        self.telegram = Telegram()
        self.client = memory_client(self.telegram)
        self.calls = PyTgCalls(self.client)
        self.monitor = TelegramMonitor(self.calls, url, source="bot")
        self.monitor.start()

    async def play(self, channel: int = 777) -> dict[str, Any]:
        self.telegram.open(channel)
        await self.calls.play(chat_id(channel), sound(self.file))
        report = await self.daemon.until(
            lambda: self.daemon.last(channel_id=str(chat_id(channel)), state="live", listeners=0)
        )
        assert isinstance(report, dict)
        return report


@contextlib.asynccontextmanager
async def a_bot(file: Path) -> AsyncIterator[Bot]:
    daemon = HttpDaemon()
    async with serving(daemon.ingest) as url:
        bot = Bot(url, daemon, file)
        await bot.calls.start()
        try:
            yield bot
        finally:
            for chat in await bot.calls.calls:
                await bot.calls.leave_call(chat)
            await bot.monitor.close()
            if hasattr(bot.client, "close"):
                await bot.client.close()


def test_after_a_stop_the_ffmpeg_child_is_really_gone(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            report = await bot.play()
            assert len(ffmpegs()) == 1
            bot.daemon.orders(report)
            await bot.daemon.until(lambda: bot.daemon.acks.get("c1"))
            assert bot.daemon.acks["c1"]["outcome"] == "ok"
            await bot.daemon.until(lambda: not ffmpegs())
            await bot.daemon.until(lambda: bot.daemon.last(state="stopped", session=report["session"]))
            assert not await bot.calls.calls
            assert not bot.telegram.chats[777].participants

    asyncio.run(told())


def test_with_a_listener_the_stop_is_refused_and_ffmpeg_plays_on(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            report = await bot.play()
            before = ffmpegs()
            bot.telegram.chats[777].participants[1001] = 1001  # and no update tells it
            bot.daemon.orders(report)
            await bot.daemon.until(lambda: bot.daemon.acks.get("c1"))
            assert bot.daemon.acks["c1"]["outcome"] == "refused"
            assert ffmpegs() == before
            await bot.client.leave(777, 1001)
            again = await bot.daemon.until(lambda: bot.daemon.last(state="live", listeners=0))
            bot.daemon.orders(again, "c2")
            await bot.daemon.until(lambda: not ffmpegs())

    asyncio.run(told())


def test_listeners_come_and_go_through_the_real_dispatch(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            await bot.play()
            await bot.client.join(777, 1001)
            await bot.daemon.until(lambda: bot.daemon.last(listeners=1))
            await bot.client.join(777, 1002)
            await bot.daemon.until(lambda: bot.daemon.last(listeners=2, joins=2))
            await bot.client.rejoin(777, 1002)
            await bot.client.leave(777, 1001)
            await bot.daemon.until(lambda: bot.daemon.last(listeners=1, joins=2))
            await bot.client.leave(777, 1002)
            await bot.daemon.until(lambda: bot.daemon.last(listeners=0, joins=2))

    asyncio.run(told())


def test_a_voice_chat_closed_by_an_admin_is_a_stream_that_ended(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            report = await bot.play()
            await bot.client.close_chat(777)
            await bot.daemon.until(lambda: bot.daemon.last(state="stopped", session=report["session"]))
            await bot.daemon.until(lambda: not ffmpegs())

    asyncio.run(told())


def test_of_two_voice_chats_one_is_stopped_and_the_other_plays_on(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            first = await bot.play(777)
            await bot.play(778)
            assert len(ffmpegs()) == 2
            bot.daemon.orders(first)
            await bot.daemon.until(lambda: bot.daemon.acks.get("c1"))
            assert list(await bot.calls.calls) == [chat_id(778)]
            await bot.daemon.until(lambda: len(ffmpegs()) == 1)

    asyncio.run(told())


def test_pause_and_resume_are_told(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            report = await bot.play()
            await bot.calls.pause(CHAT)
            await bot.daemon.until(lambda: bot.daemon.last(state="paused"))
            await bot.calls.resume(CHAT)
            await bot.daemon.until(lambda: bot.daemon.last(state="live", session=report["session"]))

    asyncio.run(told())


def test_a_loop_blocked_by_the_bot_stops_nothing_afterwards_that_is_heard(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            report = await bot.play()
            bot.daemon.orders(report)
            bot.telegram.chats[777].participants[1001] = 1001
            time.sleep(1.5)  # noqa: ASYNC251 (this is the bot's fault)
            await bot.daemon.until(lambda: bot.daemon.acks.get("c1"))
            assert bot.daemon.acks["c1"]["outcome"] == "refused"
            assert len(ffmpegs()) == 1

    asyncio.run(told())


def test_a_rush_of_listeners_is_told_in_few_requests(file: Path) -> None:
    async def told() -> None:
        async with a_bot(file) as bot:
            await bot.play()
            began, reports = time.monotonic(), len(bot.daemon.reports)
            for user in range(1000, 1200):
                await bot.client.join(777, user)
            await bot.daemon.until(lambda: bot.daemon.last(listeners=200))
            assert len(bot.daemon.reports) - reports <= 3 + (time.monotonic() - began) / CHANGE_GAP

    asyncio.run(told())
