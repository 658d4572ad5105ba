"""A radio for one voice chat, watched by Sattva Monitor.

usage: telethon_bot.py CHAT FILE
API_ID and API_HASH come from the environment, as Telegram gave them to you. The account must be a user's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from pytgcalls import PyTgCalls
from pytgcalls.types import MediaStream
from telethon import TelegramClient

from sattva_streamer.telegram import TelegramMonitor


async def main(chat: int, file: str) -> None:
    """Plays the file into the chat's voice chat."""
    client = TelegramClient("radio", int(os.environ["API_ID"]), os.environ["API_HASH"])
    await client.start()
    calls = PyTgCalls(client)

    monitor = TelegramMonitor(calls, "http://127.0.0.1:8080", source="radio-bot")
    monitor.start()

    try:
        await calls.start()
        await calls.play(chat, MediaStream(file, video_flags=MediaStream.Flags.IGNORE))
        await client.run_until_disconnected()
    finally:
        await monitor.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
