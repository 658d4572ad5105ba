"""The names that the daemon takes: channels, sources, sessions."""

from __future__ import annotations

import re
import uuid

_CHANNEL = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_SOURCE = re.compile(r"[!-~]{1,128}")


def check_channel(channel_id: str | int) -> str:
    """The channel's id as text.

    Raises:
        ValueError: it is not 1 to 64 characters of A-Z a-z 0-9 _ . : @ -
    """
    text = str(channel_id)
    if not _CHANNEL.fullmatch(text):
        raise ValueError(f"channel_id {text[:80]!r}: use 1 to 64 characters of A-Z a-z 0-9 _ . : @ -")
    return text


def check_source(source: str) -> str:
    """The source's name.

    Raises:
        ValueError: it is not 1 to 128 printable ASCII characters without spaces.
    """
    if not _SOURCE.fullmatch(source):
        raise ValueError(f"source {source[:140]!r}: use 1 to 128 printable ASCII characters without spaces")
    return source


def new_session() -> str:
    """A name for one life of a stream, unlike any other, across restarts too."""
    return uuid.uuid4().hex
