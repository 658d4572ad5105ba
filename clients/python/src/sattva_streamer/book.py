"""Which streams there are and which of them the daemon must hear about. Pure, and bounded.

Nothing is queued while the daemon is away: a snapshot says all there is to say, and it is written when it
is sent. Of a channel at most two sessions are kept: the one on the air, and the end of the one before.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from .answer import Answer
from .stream import Stream

STREAMS_MAX = 10_000
"""Streams on the air; more are not reported."""
FAREWELLS_MAX = 1000
"""Ends that the daemon has not heard of; the oldest is forgotten first, and it sees that stream as lost."""
BATCH = 500
"""Reports in one request; the rest goes with the next one."""
RENEWALS_MAX = 3
"""New sessions tried for a stream that the daemon takes for an old one."""
SESSIONS_MAX = 20_000
"""Sessions remembered as ours; the oldest is forgotten first."""


@dataclass
class Page:
    """How far the daemon is with one stream."""

    stream: Stream
    due: bool = True
    accepted: bool = False
    renewals: int = 0
    contested: bool = False
    """The daemon prefers another program's session."""


@dataclass
class Book:
    """Every stream that is on the air or whose end has not been heard."""

    _pages: dict[str, Page] = field(default_factory=dict)
    _farewells: OrderedDict[str, Page] = field(default_factory=OrderedDict)
    _suspects: list[str] = field(default_factory=list)
    """Channels to be reported one by one, because one of a batch was a duplicate."""
    _sessions: OrderedDict[str, None] = field(default_factory=OrderedDict)
    batch: int = BATCH

    def add(self, stream: Stream) -> bool:
        """Takes a new stream in, in place of the one before of its channel; False if there is no room."""
        before = self._pages.get(stream.channel_id)
        if before is None and len(self._pages) >= STREAMS_MAX:
            return False
        if before is not None:
            before.stream.ended()
            self._say_farewell(before)
        self._pages[stream.channel_id] = Page(stream)
        self._remember(stream.session)
        return True

    def _remember(self, session: str) -> None:
        self._sessions[session] = None
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def had(self, session: str) -> bool:
        """The session is ours, or was."""
        return session in self._sessions

    def close(self) -> None:
        """Nothing is on the air here any more; whose sessions were ours is still known."""
        self._pages.clear()
        self._farewells.clear()
        self._suspects.clear()

    def changed(self, stream: Stream) -> None:
        """The stream has something to report."""
        page = self._pages.get(stream.channel_id)
        if page is not None and page.stream is stream:
            page.due = True
            if stream.is_over:
                self._say_farewell(page)

    def _say_farewell(self, page: Page) -> None:
        channel = page.stream.channel_id
        if self._pages.get(channel) is page:
            del self._pages[channel]
        page.due = True
        self._farewells[channel] = page
        self._farewells.move_to_end(channel)
        while len(self._farewells) > FAREWELLS_MAX:
            self._farewells.popitem(last=False)

    def on_air(self, channel_id: str) -> Stream | None:
        """The channel's stream, if one is on the air."""
        page = self._pages.get(channel_id)
        return None if page is None else page.stream

    def streams(self) -> list[Stream]:
        """All that are on the air."""
        return [page.stream for page in self._pages.values()]

    def all_due(self) -> None:
        """A round begins: everything is said once more."""
        for page in self._pages.values():
            page.due = True

    def next_batch(self) -> list[Page]:
        """What goes with the next request. An end goes before the beginning that follows it."""
        while self._suspects:
            page = self._pages.get(self._suspects.pop())
            if page is not None and page.stream.channel_id not in self._farewells:
                page.due = False
                return [page]
        pages = [page for page in self._farewells.values() if page.due][: self.batch]
        if not pages:
            waiting = (p for c, p in self._pages.items() if p.due and c not in self._farewells)
            pages = [page for _, page in zip(range(self.batch), waiting, strict=False)]
        for page in pages:
            page.due = False
        return pages

    def failed(self, pages: list[Page]) -> None:
        """They were not taken and must be said again."""
        for page in pages:
            page.due = True

    def set_aside(self, page: Page) -> None:
        """The daemon cannot take this one. The others must not wait for it; the next round tries it again."""
        page.due = False
        if page.stream.is_over:
            self._drop_farewell(page)

    def delivered(self, pages: list[Page], answer: Answer) -> tuple[list[Stream], list[Stream]]:
        """They were taken.

        Returns:
            Streams that went on as a new session because the daemon took them for old ones, and streams that
            another program reports too.
        """
        for page in pages:
            if page.stream.is_over:
                self._drop_farewell(page)
        contested_before = sum(page.contested for page in pages)
        if answer.duplicates == 0:
            for page in pages:
                page.accepted = page.accepted or answer.refused == 0
                page.contested = False
            return [], []
        if len(pages) > 1:
            # Those that are known to be duplicates need not be found again.
            if answer.duplicates > contested_before:
                self._suspects = [page.stream.channel_id for page in pages if not page.stream.is_over]
            return [], []
        renewed: list[Stream] = []
        contested: list[Stream] = []
        for page in pages:
            if page.stream.is_over:
                continue
            if not page.accepted and page.renewals < RENEWALS_MAX:
                page.renewals += 1
                page.stream.renew()
                self._remember(page.stream.session)
                page.due = True
                renewed.append(page.stream)
            elif not page.contested:
                page.contested = True
                contested.append(page.stream)
        return renewed, contested

    def _drop_farewell(self, page: Page) -> None:
        channel = page.stream.channel_id
        if self._farewells.get(channel) is page and not page.due:
            del self._farewells[channel]

    @property
    def has_due(self) -> bool:
        """There is something to say."""
        return (
            bool(self._suspects)
            or any(page.due for page in self._farewells.values())
            or any(page.due and channel not in self._farewells for channel, page in self._pages.items())
        )
