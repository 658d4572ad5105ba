"""The two clocks of this package, read only at its edges."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone


def _since_boot() -> float:
    """Seconds that also pass while the machine is suspended, where the system can tell."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


@dataclass(frozen=True)
class Clock:
    """Ages and deadlines come from `now`; the wall clock is read only to write a moment down.

    A moment is written as its age before the wall clock of right now. So a wall clock that is set while we run
    neither ages a count nor makes it younger, and the daemon goes on believing what it is told.
    """

    now: Callable[[], float] = _since_boot
    """Seconds, never going back."""
    wall: Callable[[], float] = time.time
    """Seconds since the epoch."""

    def wall_at(self, moment: float) -> float:
        """The wall time, in seconds since the epoch, of a moment of `now`."""
        return self.wall() - (self.now() - moment)

    def rfc3339(self, moment: float) -> str:
        """A moment of `now` as the daemon reads it: UTC with milliseconds."""
        at = datetime.fromtimestamp(self.wall_at(moment), tz=timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
