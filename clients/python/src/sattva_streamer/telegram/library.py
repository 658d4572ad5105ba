"""Which Telegram library a bot uses. A library is imported only where its client shows that it is there."""

from __future__ import annotations

from typing import Any

from .server import Server


def server_of(client: Any) -> Server:
    """The server behind a client of Telethon, kurigram or pyrofork.

    Raises:
        TypeError: it is a client of another library.
    """
    library = {base.__module__.partition(".")[0] for base in type(client).__mro__}
    if "telethon" in library:
        from .telethon import TelethonServer

        return TelethonServer(client)
    if "pyrogram" in library:
        from .pyrogram import PyrogramServer

        return PyrogramServer(client)
    raise TypeError(f"{type(client).__name__}: not a client of Telethon, kurigram or pyrofork")
