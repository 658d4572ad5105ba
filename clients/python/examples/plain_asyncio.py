"""A streamer of your own: counts its listeners, ends when it is told to.

usage: plain_asyncio.py [URL] [CHANNEL]
"""

from __future__ import annotations

import asyncio
import logging
import sys

from sattva_streamer import Client, StopCommand, Track


class Radio:
    """Stands for whatever you stream with. Connections to it are its listeners."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self.listeners = 0
        self.over = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Plays silence to one listener until one of both has enough."""
        self.listeners += 1
        try:
            while not self.over.is_set() and not reader.at_eof():
                writer.write(b"\0" * 1000)
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            return  # The listener is gone, which is all there is to it.
        finally:
            self.listeners -= 1
            writer.close()

    async def count(self) -> int | None:
        """How many listen now; None if you cannot tell."""
        return self.listeners

    async def stop(self, command: StopCommand) -> None:
        """Ends the stream. Nobody listens: that was counted just now."""
        print(f"ending {command.channel_id}: {command.reason}", flush=True)
        self.over.set()


async def main(url: str, channel: str) -> None:
    """Streams until the daemon ends it, or Ctrl-C does."""
    radio = Radio()
    server = await asyncio.start_server(radio.serve, "127.0.0.1", 0)
    print("listen with: nc", *server.sockets[0].getsockname(), flush=True)
    async with Client(url, source="plain-example") as client:
        stream = client.stream(channel, stop=radio.stop, count=radio.count)
        stream.update(track=Track("Silence", artist="Nobody"))
        await radio.over.wait()
        stream.ended()
        server.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    given = sys.argv[1:]
    asyncio.run(main(given[0] if given else "http://127.0.0.1:8080", given[1] if len(given) > 1 else "example"))
