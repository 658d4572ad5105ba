"""Who listens in one voice chat. Pure: events, counts and time come in; a number comes out, or that it is unknown.

The truth is the server's count, asked for every 15 s: it knows hidden listeners, and lost or misread updates do
not touch it. Events make it livelier in one direction only: who joins counts at once, on top of the last
count; who leaves makes the server be asked again. So no event alone can make a stream look empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..guard import Evidence

ASK_EVERY = 15.0
"""Seconds between two counts by the server: the interval that is reported."""
COUNT_LIVES = 45.0
"""Seconds for which a count, or a join, is known."""
SETTLES_AFTER = 0.25
"""Seconds in which a KICKED and a JOINED of the same user are one who stays."""
ASK_GAP = 1.0
"""Seconds between two counts at least, where the last one said that hardly anybody is left."""
ASK_GAP_CROWDED = 5.0
"""The same where many listen: none of them leaving can make it empty."""
CROWD = 3
RETRY_FIRST = 2.0
"""Seconds until a count that failed is tried again, then twice as long up to ASK_EVERY."""
PRESENT_MAX = 10_000
"""Users remembered as present; beyond that joins are not counted."""


@dataclass(frozen=True)
class ServerCount:
    """What the server says of a voice chat."""

    participants: int
    """All of them, ourselves and the hidden ones included."""
    hidden: bool
    """The list of listeners is hidden: joins cannot be seen."""
    ours: int
    """How many of them are ourselves or known not to be listeners."""
    others_seen: int = 0
    """Listeners that the answer shows by name, if only a few."""
    we_are_there: bool = True
    """We are among the participants, and not only believe so."""

    def listeners(self) -> int | None:
        """Who is left without ourselves; None where that cannot be told."""
        if self.participants < self.ours or not self.we_are_there:
            # Out of the voice chat we may no longer be told of everybody; whom we see is there all the same.
            return self.others_seen or None
        return max(self.participants - self.ours, self.others_seen)


class Listeners:
    """The listeners of one session."""

    def __init__(self, own: Iterable[int], now: float) -> None:
        """Starts with nothing known.

        Args:
            own: user ids that are ourselves.
            now: the present moment.
        """
        self._own = frozenset(own)
        self._base: int | None = None
        self._base_at = now
        self._arrived: dict[int, float] = {}
        """Who joined after the last count was asked for."""
        self._present: set[int] = set()
        """Who is there as far as events tell: ghosts among them do no harm, they are not counted."""
        self._leaving: dict[int, float] = {}
        self._doubtful_since: float | None = None
        """Somebody left since the last count: a zero is not believed before the server has said it."""
        self._joins = 0
        self._hidden = False
        self._crowded_out = False
        self._failures = 0
        self._next_ask = now
        self._last_ask = now - ASK_EVERY

    def own_are(self, own: Iterable[int]) -> None:
        """Which users are ourselves, as is known by now."""
        self._own = frozenset(own)
        for user in self._own:
            self._present.discard(user)
            self._arrived.pop(user, None)
            self._leaving.pop(user, None)

    # -- events ----------------------------------------------------------------------------------------

    def joined(self, user: int, now: float) -> None:
        """JOINED: counts at once."""
        if user in self._own or self._came_back(user):
            return
        if user in self._present:
            # A ghost came back, or it is told twice: in doubt a listener, and the server knows.
            self._ask_soon(now)
        self._arrive(user, now)

    def seen(self, user: int, now: float) -> None:
        """UPDATED: somebody who is there did something."""
        if user in self._own or self._came_back(user) or user in self._present:
            return
        if self._base:
            self._remember(user)
        else:
            # The last count knew of nobody.
            self._arrive(user, now)
            self._ask_soon(now)

    def left(self, user: int, now: float) -> None:
        """LEFT or KICKED: takes effect when it has settled, by a new count."""
        if user not in self._own:
            self._leaving.setdefault(user, now)

    def were_there(self, users: Iterable[int]) -> None:
        """Users in the list when we came: the count has them already."""
        for user in users:
            if user not in self._own:
                self._remember(user)

    def _came_back(self, user: int) -> bool:
        """Left an instant ago and is here again: the last count has this one already."""
        left_at = self._leaving.pop(user, None)
        if left_at is None or user not in self._present or left_at <= self._last_ask:
            return False
        # Where nobody is counted this one is not either.
        return (self._base or 0) + len(self._arrived) > 0

    def _arrive(self, user: int, now: float) -> None:
        self._arrived[user] = now
        self._joins += 1
        self._remember(user)

    def _remember(self, user: int) -> None:
        self._present.add(user)
        if len(self._present) > PRESENT_MAX:
            self._present.clear()
            self._crowded_out = True
        while len(self._arrived) > PRESENT_MAX:
            del self._arrived[next(iter(self._arrived))]

    def settle(self, now: float) -> None:
        """Lets go of those who left and did not come back."""
        gone = [user for user, since in self._leaving.items() if now - since >= SETTLES_AFTER]
        for user in gone:
            del self._leaving[user]
            self._present.discard(user)
            self._arrived.pop(user, None)
        if gone:
            self._doubtful_since = now
            self._ask_soon(now)

    # -- counts ----------------------------------------------------------------------------------------

    def count_begins(self, now: float) -> None:
        """The server is asked now."""
        self._last_ask = now
        self._next_ask = now + ASK_EVERY

    def counted(self, count: ServerCount, asked_at: float) -> None:
        """The server answered what it was asked at that moment."""
        if asked_at < self._base_at and self._base is not None:
            return
        self._hidden = count.hidden
        listeners = count.listeners()
        if listeners is None:
            self.count_failed(asked_at)
        else:
            self._failures = 0
        expected = (self._base or 0) + sum(1 for at in self._arrived.values() if at < asked_at)
        if listeners is not None and listeners > expected:
            # Somebody came whom no event announced.
            self._joins += listeners - expected
        self._base, self._base_at = listeners, asked_at
        if self._doubtful_since is not None and self._doubtful_since <= asked_at:
            self._doubtful_since = None
        # Who came while the server was asked may be in its answer or not: in doubt not.
        self._arrived = {user: at for user, at in self._arrived.items() if at >= asked_at}

    def count_failed(self, now: float) -> None:
        """The server could not be asked."""
        self._failures += 1
        self._next_ask = now + min(RETRY_FIRST * 2.0 ** min(self._failures - 1, 8), ASK_EVERY)

    def _ask_soon(self, now: float) -> None:
        gap = ASK_GAP_CROWDED if (self._base or 0) + len(self._arrived) > CROWD else ASK_GAP
        soon = max(now, self._last_ask + gap)
        if self._failures == 0:
            self._next_ask = min(self._next_ask, soon)

    def next_deadline(self) -> float:
        """When `settle` must be called or the server be asked."""
        return min([self._next_ask, *(since + SETTLES_AFTER for since in self._leaving.values())])

    def must_ask(self, now: float) -> bool:
        """The server is to be asked now."""
        return now >= self._next_ask

    # -- what is known ---------------------------------------------------------------------------------

    def evidence(self, now: float) -> Evidence:
        """Listeners and joins as far as they are known now."""
        joins = None if self._hidden or self._crowded_out else self._joins
        if self._base is not None and now - self._base_at < COUNT_LIVES:
            listeners = self._base + len(self._arrived)
            if listeners == 0 and (self._doubtful_since is not None or self._leaving):
                listeners = 1
            return Evidence(listeners, joins, self._base_at)
        recent = [at for at in self._arrived.values() if now - at < COUNT_LIVES]
        if recent:
            return Evidence(len(recent), joins, min(recent))
        return Evidence(None, joins, self._base_at)
