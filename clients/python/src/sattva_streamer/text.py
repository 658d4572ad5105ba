"""Texts that come from the program, made into ones that JSON and the daemon take."""

from __future__ import annotations


def usable_text(value: object, longest: int) -> str | None:
    """The value as text, cut to that many characters; None if it is not known or cannot be written."""
    if value is None:
        return None
    try:
        # Half a character, as some files' tags hold it, would make the daemon refuse the whole request.
        return str(value)[:longest].encode("utf-8", "replace").decode()
    except Exception:
        return None
