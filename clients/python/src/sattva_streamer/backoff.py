"""How long to wait before the next try. Pure; chance is an argument."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 0.25
"""Seconds before the first retry."""
LAST = 10.0
"""Seconds between retries in the end: the daemon is heard again this soon after it is back."""
ASKED_FOR_MAX = 60.0
"""Seconds; a longer Retry-After is not waited for."""


@dataclass
class Backoff:
    """Twice as long after each failure in a row."""

    failures: int = 0

    def succeeded(self) -> None:
        """The next failure is a first one."""
        self.failures = 0

    def failed(self, chance: float, asked_for: float | None = None) -> float:
        """Seconds to wait after one more failure.

        Args:
            chance: from 0 to 1; spreads many streamers that lost one daemon.
            asked_for: what the daemon's Retry-After says, in seconds.
        """
        self.failures += 1
        pause = min(FIRST * 2.0 ** min(self.failures - 1, 16), LAST)
        pause *= 0.75 + 0.25 * chance
        if asked_for is not None:
            pause = max(pause, min(asked_for, ASKED_FOR_MAX))
        return pause
