"""One stream on the air: its session, and what is known of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Literal, TypeAlias

from .clock import Clock
from .command import StopCommand
from .guard import Evidence
from .identity import check_channel, new_session
from .report import COUNTER_MAX, LISTENERS_MAX, QUEUE_OPERATIONS, Report, State, plausible
from .track import Track, usable_track


class _Unchanged(enum.Enum):
    UNCHANGED = enum.auto()


UNCHANGED: Final = _Unchanged.UNCHANGED
"""What `update` leaves as it was."""
Unchanged: TypeAlias = Literal[_Unchanged.UNCHANGED]

Count: TypeAlias = Callable[[], Coroutine[Any, Any, "int | None"]]
"""Counts the listeners anew; None if they cannot be counted."""
Stop: TypeAlias = Callable[[StopCommand], Coroutine[Any, Any, None]]
"""Ends the stream, or raises saying why it could not."""
Look: TypeAlias = Callable[[], Evidence]
"""What is known right now, without asking anybody."""

INTERVAL = 5.0
"""Seconds between two counts unless the stream says otherwise."""
INTERVAL_MIN = 0.1
INTERVAL_MAX = 3600.0
"""What the daemon takes."""


class Stream:
    """One life of one stream. Made by `Client.stream`, told about with `update`, over with `ended`.

    None of its methods raises or blocks: what cannot be is taken as unknown.
    """

    def __init__(
        self,
        channel_id: str | int,
        *,
        clock: Clock,
        changed: Callable[[Stream], None],
        stop: Stop,
        count: Count | None = None,
        look: Look | None = None,
        interval: float = INTERVAL,
    ) -> None:
        """See `Client.stream`."""
        if not isinstance(interval, (int, float)) or not INTERVAL_MIN <= interval <= INTERVAL_MAX:
            raise ValueError(f"interval {interval!r}: use a number of seconds from {INTERVAL_MIN} to {INTERVAL_MAX}")
        self.channel_id = check_channel(channel_id)
        self.session = new_session()
        self.stop = stop
        self.count = count
        self.interval = interval
        self._clock = clock
        self._changed = changed
        self._look = look
        # Written down once: the daemon orders sessions by it, and the wall clock may be set.
        self._started: str | None = clock.rfc3339(clock.now())
        self._seq = 0
        self._state = State.LIVE
        self._evidence = Evidence(None, None, clock.now())
        self._queue_size: int | None = None
        self._queue_ops: dict[str, int] = {}
        self._track: Track | None = None

    def __repr__(self) -> str:
        """For logs."""
        return f"<Stream {self.channel_id} {self.session} {self._state.value}>"

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._state

    @property
    def is_over(self) -> bool:
        """It has ended; a new stream of the channel is a new session."""
        return self._state is State.STOPPED

    def update(
        self,
        *,
        listeners: int | None | Unchanged = UNCHANGED,
        joins: int | None | Unchanged = UNCHANGED,
        state: State | Unchanged = UNCHANGED,
        queue_size: int | None | Unchanged = UNCHANGED,
        queue_ops: Mapping[str, int] | Unchanged = UNCHANGED,
        track: Track | None | Unchanged = UNCHANGED,
        counted_at: float | None = None,
    ) -> None:
        """Says what is so now; the daemon hears of a change at once.

        Args:
            listeners: who hears it, without bots and yourself; None if you do not know. Never 0 for that.
                A count is believed for three intervals, so say it again even if it is the same.
            joins: everyone who ever joined in this session.
            state: what it is doing; to end it, use `ended`.
            queue_size: tracks that wait.
            queue_ops: this session's totals per operation: add, remove, move, clear, skip, priority_add.
            track: what is playing.
            counted_at: the moment of the clock's `now` when the listeners were counted, if not just now.
                An older count than the one that is known changes nothing.
        """
        if self.is_over:
            return
        before = self._told()
        if not isinstance(listeners, _Unchanged):
            now = self._clock.now()
            at = now if counted_at is None else counted_at
            known = plausible(listeners, LISTENERS_MAX)
            if not isinstance(at, (int, float)) or not at <= now:
                # By another clock: nobody can tell how old it is.
                known, at = None, now
            if at >= self._evidence.taken_at:
                self._evidence = Evidence(known, self._evidence.joins, at)
        if not isinstance(joins, _Unchanged):
            total = plausible(joins, COUNTER_MAX)
            self._evidence = Evidence(self._evidence.listeners, total, self._evidence.taken_at)
        if isinstance(state, State) and state is not State.STOPPED:
            self._state = state
        if not isinstance(queue_size, _Unchanged):
            self._queue_size = plausible(queue_size, LISTENERS_MAX)
        if not isinstance(queue_ops, _Unchanged):
            said = queue_ops if isinstance(queue_ops, Mapping) else {}
            totals = {name: plausible(said.get(name), COUNTER_MAX) for name in QUEUE_OPERATIONS}
            self._queue_ops = {name: total for name, total in totals.items() if total is not None}
        if not isinstance(track, _Unchanged):
            self._track = usable_track(track)
        if self._told() != before:
            self._changed(self)

    def touch(self) -> None:
        """What `look` tells has changed."""
        if not self.is_over:
            self._changed(self)

    def ended(self) -> None:
        """The stream is over, by itself or by a stop; nothing more is said about this session."""
        if not self.is_over:
            self._state = State.STOPPED
            self._changed(self)

    def evidence(self) -> Evidence:
        """What is known of the listeners at this moment."""
        if self._look is None:
            return self._evidence
        seen = self._look()
        return Evidence(plausible(seen.listeners, LISTENERS_MAX), plausible(seen.joins, COUNTER_MAX), seen.taken_at)

    def renew(self) -> None:
        """Goes on as a new session without a start.

        For a daemon that takes our start for older than one it knows: a wall clock was set back between
        two runs of the streamer. Without a start the order of arrival counts.
        """
        self.session = new_session()
        self._seq = 0
        self._started = None

    def report(self, at_least_every: float) -> Report:
        """The next snapshot.

        Args:
            at_least_every: seconds between two reports, as the daemon wants them.
        """
        self._seq += 1
        evidence = self.evidence()
        return Report(
            channel_id=self.channel_id,
            session=self.session,
            seq=self._seq,
            state=self._state,
            listeners=evidence.listeners,
            joins=evidence.joins,
            queue_size=self._queue_size,
            queue_ops=self._queue_ops,
            track=self._track,
            started_at=self._started,
            observed_at=self._clock.rfc3339(evidence.taken_at),
            interval_seconds=max(self.interval, at_least_every),
        )

    def _told(self) -> tuple[object, ...]:
        # With the moment of the count: the daemon ends nothing for a zero that is older than one interval.
        return (
            self._evidence,
            self._state,
            self._queue_size,
            self._queue_ops,
            self._track,
        )
