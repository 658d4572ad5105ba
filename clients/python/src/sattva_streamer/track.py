"""What a stream plays."""

from __future__ import annotations

from dataclasses import dataclass

from .text import usable_text

TEXT_MAX = 1000
"""Characters of a track's texts that the daemon takes."""
DURATION_MAX = 1e9


@dataclass(frozen=True)
class Track:
    """What is playing. Texts that are too long are cut."""

    title: str
    artist: str | None = None
    id: str | None = None
    url: str | None = None
    duration_seconds: float | None = None

    def to_json(self) -> dict[str, object]:
        """The track as the daemon reads it."""
        fields: dict[str, object] = {
            "title": self.title,
            "artist": self.artist,
            "id": self.id,
            "url": self.url,
            "duration_seconds": self.duration_seconds,
        }
        return {name: value for name, value in fields.items() if value is not None}


def usable_track(track: object) -> Track | None:
    """The track with nothing in it that the daemon would not take; None if not even its title is left.

    Tags of files hold anything, and a program hands them on unseen.
    """
    if not isinstance(track, Track):
        return None
    title = usable_text(track.title, TEXT_MAX)
    if title is None:
        return None
    seconds = track.duration_seconds
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    return Track(
        title,
        artist=usable_text(track.artist, TEXT_MAX),
        id=usable_text(track.id, TEXT_MAX),
        url=usable_text(track.url, TEXT_MAX),
        duration_seconds=seconds if is_number and seconds is not None and 0 <= seconds < DURATION_MAX else None,
    )
