"""What is said about a stream: always all of it, never a difference."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .track import Track

Json: TypeAlias = "dict[str, object]"

LISTENERS_MAX = 10_000_000
"""More on one stream are a mistake; the daemon refuses them."""
COUNTER_MAX = 1 << 53
QUEUE_OPERATIONS = ("add", "remove", "move", "clear", "skip", "priority_add")


class State(enum.Enum):
    """What a stream is doing."""

    LIVE = "live"
    PAUSED = "paused"
    IDLE = "idle"
    """Between two tracks: it goes on."""
    STOPPED = "stopped"
    """Over, for this session."""


@dataclass(frozen=True)
class Report:
    """One full snapshot of one session of one channel."""

    channel_id: str
    session: str
    seq: int
    state: State
    listeners: int | None
    """Who hears it, without ourselves; None if that is not known, never 0 for it."""
    observed_at: str
    """When they were counted, RFC 3339."""
    interval_seconds: float
    """The rhythm of counting: the count is believed for three of these."""
    started_at: str | None = None
    joins: int | None = None
    queue_size: int | None = None
    queue_ops: Mapping[str, int] = field(default_factory=dict)
    track: Track | None = None

    def to_json(self) -> Json:
        """The report as `POST /api/v1/ingest` takes it."""
        out: Json = {
            "channel_id": self.channel_id,
            "session": self.session,
            "seq": self.seq,
            "state": self.state.value,
            "listeners": self.listeners,
            "joins": self.joins,
            "queue_size": self.queue_size,
            "observed_at": self.observed_at,
            "interval_seconds": self.interval_seconds,
        }
        if self.started_at is not None:
            out["started_at"] = self.started_at
        if self.queue_ops:
            out["queue_ops"] = dict(self.queue_ops)
        if self.track is not None:
            out["track"] = self.track.to_json()
        return out


def plausible(number: object, most: int) -> int | None:
    """A count that the daemon would take, else None: what cannot be is not known."""
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most:
        return number
    return None
