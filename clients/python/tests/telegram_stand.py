"""A bot to test a daemon with: py-tgcalls plays real audio, Telegram is answered from memory.

usage: telegram_stand.py URL [--source NAME] [--token-file FILE]

It takes one command per line on its standard input and tells what happened, one JSON object per line, on its
standard output. CHANNEL is a number such as 777; its channel_id for the daemon is in what `playing` tells.

    play CHANNEL       plays into the channel's voice chat     playing {channel, channel_id, ffmpeg: [pid]}
    restart CHANNEL    plays, and again after every stop       playing, then stopped and playing in turn
    join N [CHANNEL]   user N joins                            joined
    leave N [CHANNEL]  user N leaves                           left
    ghost N [CHANNEL]  user N leaves, and no update tells it   left
    sneak N [CHANNEL]  user N joins, and no update tells it    joined
    rejoin N [CHANNEL] user N comes back at once               joined
    hide, show         the list of listeners is hidden, shown  hidden, shown
    mute, unmute       Telegram answers no counts, does again  mute, unmute
    pause, resume      of the stream                           paused, resumed
    end [CHANNEL]      the bot itself ends the stream          stopped
    quit               everything ends                         bye

A stream that ends, by whatever, is told as `stopped {channel, ffmpeg: [pids]}`: those of its ffmpeg processes that
are still there though the engine, which ends them after the call, has had time for it. Without a CHANNEL the one
played last is meant. What cannot be done is told as `error`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

from pytgcalls import PyTgCalls
from pytgcalls.pytgcalls_session import PyTgCallsSession
from pytgcalls.types import MediaStream

from sattva_streamer.telegram import TelegramMonitor
from voice_chats import Telegram, chat_id

# It would ask the network for its newest version.
PyTgCallsSession.notice_displayed = True

LOOK_EVERY = 0.05
FFMPEG_ENDS_WITHIN = 5.0
"""Seconds after a call's end in which the engine is to have ended its ffmpeg."""
RESTARTS_AFTER = 0.5
"""Seconds until a source that reconnects is back."""
SECONDS_OF_SILENCE = 900


def memory_client(telegram: Telegram) -> Any:
    """The client of whichever library is installed here."""
    try:
        from memory_telethon import MemoryClient
    except ImportError:
        from memory_pyrogram import MemoryClient
    return MemoryClient(telegram)


def silence(folder: Path, seconds: int = SECONDS_OF_SILENCE) -> Path:
    """A file of real audio that nobody needs to hear."""
    path = folder / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 8000 * seconds)
    return path


def sound(path: Path) -> MediaStream:
    """The file, to be played without a picture."""
    return MediaStream(str(path), video_flags=MediaStream.Flags.IGNORE)


def ffmpegs() -> list[int]:
    """The ffmpeg processes that are children of this one, also those that have ended and were not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue  # It has just gone.
        name, _, fields = rest.rpartition(") ")
        if name == "ffmpeg" and int(fields.split()[1]) == os.getpid():
            found.append(int(pid))
    return sorted(found)


async def left_of(processes: set[int]) -> list[int]:
    """Those that are still there when the engine has had its time."""
    for _ in range(round(FFMPEG_ENDS_WITHIN / LOOK_EVERY)):
        if not processes & set(ffmpegs()):
            break
        await asyncio.sleep(LOOK_EVERY)
    return sorted(processes & set(ffmpegs()))


class Stand:
    """The bot."""

    def __init__(self, url: str, source: str, token_file: str | None, file: Path) -> None:
        self.telegram = Telegram()
        self.client = memory_client(self.telegram)
        self.calls = PyTgCalls(self.client)
        self.file = file
        self.playing: dict[int, set[int]] = {}
        """The channels that play, and the ffmpeg processes of each."""
        self.reconnecting: set[int] = set()
        self.channel = 777
        # The package's three lines, the first of them above.
        self.monitor = TelegramMonitor(self.calls, url, source=source, token_file=token_file)
        self.monitor.start()

    def tell(self, event: str, **what: object) -> None:
        print(json.dumps({"event": event, **what}), flush=True)

    async def play(self, channel: int) -> None:
        self.telegram.open(channel)
        others = set(ffmpegs())
        await self.calls.play(chat_id(channel), sound(self.file))
        self.playing[channel] = set(ffmpegs()) - others
        self.tell("playing", channel=channel, channel_id=str(chat_id(channel)), ffmpeg=ffmpegs())

    async def watch(self) -> None:
        """Tells what ended, and is the source that reconnects."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            live = await self.calls.calls
            for channel in [channel for channel in self.playing if chat_id(channel) not in live]:
                self.tell("stopped", channel=channel, ffmpeg=await left_of(self.playing.pop(channel)))
                if channel in self.reconnecting:
                    await asyncio.sleep(RESTARTS_AFTER)
                    await self.play(channel)

    async def obey(self, line: str) -> bool:
        """Does what a line says; False if it says to quit."""
        word, *numbers = line.split()
        if word in {"play", "restart", "end"} and numbers:
            self.channel = int(numbers[0])
        elif len(numbers) > 1:
            self.channel = int(numbers[1])
        channel = self.channel
        chat = self.telegram.chats.get(channel)
        user = int(numbers[0]) if numbers else 0
        if word == "quit":
            return False
        if word in {"play", "restart"}:
            (self.reconnecting.add if word == "restart" else self.reconnecting.discard)(channel)
            await self.play(channel)
            return True
        if chat is None:
            raise LookupError(f"nothing was played in {channel}")
        if word == "join":
            await self.client.join(channel, user)
            self.tell("joined", channel=channel, user=user)
        elif word == "rejoin":
            await self.client.rejoin(channel, user)
            self.tell("joined", channel=channel, user=user)
        elif word == "sneak":
            chat.participants[user] = user
            self.tell("joined", channel=channel, user=user)
        elif word == "leave":
            await self.client.leave(channel, user)
            self.tell("left", channel=channel, user=user)
        elif word == "ghost":
            chat.participants.pop(user, None)
            self.tell("left", channel=channel, user=user)
        elif word in {"hide", "show"}:
            chat.hidden = word == "hide"
            self.tell("hidden" if chat.hidden else "shown", channel=channel)
        elif word in {"mute", "unmute"}:
            self.telegram.broken = word == "mute"
            self.tell(word)
        elif word == "pause":
            await self.calls.pause(chat_id(channel))
            self.tell("paused", channel=channel)
        elif word == "resume":
            await self.calls.resume(chat_id(channel))
            self.tell("resumed", channel=channel)
        elif word == "end":
            self.reconnecting.discard(channel)
            await self.calls.leave_call(chat_id(channel))
        else:
            raise LookupError(f"{word} is no command")
        return True


async def main() -> None:
    """Runs until `quit` or the end of the input."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("--source", default="telegram-stand")
    arguments.add_argument("--token-file")
    given = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        stand = Stand(given.url, given.source, given.token_file, silence(Path(folder)))
        await stand.calls.start()
        watching = asyncio.create_task(stand.watch())
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        stand.tell("ready", library=type(stand.client).__module__.partition(".")[0])
        while line := (await lines.readline()).decode().strip():
            try:
                if not await stand.obey(line):
                    break
            except Exception as error:
                stand.tell("error", line=line, detail=repr(error))
        watching.cancel()
        for channel in list(stand.playing):
            await stand.calls.leave_call(chat_id(channel))
        await stand.monitor.close()
        stand.tell("bye", ffmpeg=ffmpegs())


if __name__ == "__main__":
    asyncio.run(main())
