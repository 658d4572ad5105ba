"""The plain asyncio client: snapshots out, commands in.

Two requests are under way at any time: one carries reports, on every change and every few seconds; the other
is held by the daemon until there is a command. Neither raises into the program or blocks its loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any

from .answer import REPORT_EVERY, Answer, Garbage, read_answer
from .backoff import Backoff
from .book import Book, Page
from .clock import Clock
from .command import StopCommand, Unreadable
from .guard import Decision, Verdict, judge, judge_claim
from .identity import check_source
from .outcomes import Ack, Outcome, Outcomes
from .patience import Bell, within
from .report import Json, State
from .stream import INTERVAL, Count, Look, Stop, Stream
from .transport import ANSWER_PATIENCE, HttpTransport, Rejected, Transport, Unreachable

log = logging.getLogger("sattva_streamer")

LONG_POLL = 10
"""Seconds that the daemon may hold a request back until there is a command. A command's validity is counted
from when that request was sent, so this is also what a blocked loop can cost of it."""
POLL_GAP = 1.0
"""Seconds between two such requests at least, for a daemon that does not hold them."""
CHANGE_GAP = 0.25
"""Seconds between two requests with reports at least: changes within them go together."""
COUNT_PATIENCE = 5.0
"""Seconds to count the listeners anew before a stop; then it is refused."""
COUNT_AGE_MAX = 2.0
"""Seconds that counting may take as the last look before a stop: three requests on a slow line."""
COUNT_TRIES = 2
"""Counts before a stop; one may be slow."""
STOP_PATIENCE = 20.0
"""Seconds for a stream to end."""
FAREWELL_PATIENCE = 2.0
"""Seconds for the last words when the client is closed."""
OBEYING_MAX = 100
"""Commands carried out at the same time; more come again."""
GUARD_SLACK = 1.0
"""Seconds by which a regular count may be later than its rhythm and still do for a guard."""


class Client:
    """Reports streams to one daemon and obeys its stops.

    ```python
    async with Client("http://127.0.0.1:8080", "radio-1") as client:
        stream = client.stream("jazz", stop=stop_jazz, count=count_jazz)
    ```
    """

    def __init__(
        self,
        url: str,
        source: str,
        *,
        token: str | None = None,
        token_file: str | Path | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Who reports where. Nothing happens before `start`.

        Args:
            url: the daemon's address, such as `http://127.0.0.1:8080`.
            source: this streamer's name. No two running programs may share one.
            token: sent as `Authorization: Bearer`.
            token_file: a file whose first line is the token.
            transport: carries the requests instead of HTTP.
            clock: tells the time instead of the system.

        Raises:
            ValueError: the address, the name or the token cannot be right.
        """
        self.source = check_source(source)
        self.clock = clock or Clock()
        self._transport = transport or HttpTransport(url, token, token_file)
        self._url = url
        self._book = Book()
        self._outcomes = Outcomes()
        self._obeying: set[str] = set()
        self._report_every = REPORT_EVERY
        self._wake = Bell()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._away_since: float | None = None

    # -- the program's side ----------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Starts reporting in the background; a second call changes nothing.

        Args:
            loop: the program's loop, where it does not run yet.
        """
        if self._loops:
            return
        self._loop = loop = loop or asyncio.get_running_loop()
        self._loops = [
            loop.create_task(self._lasting(self._report_forever), name="sattva-reports"),
            loop.create_task(self._lasting(self._poll_forever), name="sattva-commands"),
        ]

    async def __aenter__(self) -> Client:
        """Starts it."""
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        await self.close()

    def stream(
        self,
        channel_id: str | int,
        *,
        stop: Stop,
        count: Count | None = None,
        look: Look | None = None,
        interval: float = INTERVAL,
    ) -> Stream:
        """A stream goes on the air. One of the same channel that was on the air is over with that.

        Args:
            channel_id: 1 to 64 characters of A-Z a-z 0-9 _ . : @ -
            stop: ends the stream. It is called only where the guard has just been checked, with a count that is
                not older than a second if there is `count`; raises where it could not end it.
            count: counts the listeners anew: called every `interval` and before every stop. Without it, call
                `Stream.update(listeners=…)` at least every `interval` seconds.
            look: tells what is known at any instant, for who keeps count by events; `count` then only needs
                to make that fresh, and nobody calls it every `interval`.
            interval: seconds between two counts; each is believed for three of these.

        Raises:
            ValueError: the channel's name or the interval cannot be right.
        """
        stream = Stream(
            channel_id,
            clock=self.clock,
            changed=self._changed,
            stop=stop,
            count=count,
            look=look,
            interval=interval,
        )
        if not self._book.add(stream):
            log.error("%s: too many streams, this one is not reported", stream.channel_id)
            return stream
        self._nudge()
        if count is not None and look is None:
            self._spawn(self._count_forever(stream, count))
        return stream

    async def close(self) -> None:
        """Says what is left to say, briefly, and stops reporting.

        Streams that have not `ended` are not reported as over: the daemon takes them for unknown and stops
        nothing. After another `start`, they are to be made anew.
        """
        loops, self._loops = self._loops, []
        tasks = [*loops, *self._tasks]
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
            if loops and (self._book.has_due or self._outcomes.unheard()):
                await within(FAREWELL_PATIENCE, self._say_the_last_words())
        except Exception as error:
            log.warning("the daemon did not hear the last words: %s", str(error) or type(error).__name__)
        finally:
            self._book.close()
            self._obeying.clear()
            self._away_since = None
            await self._transport.close()

    # -- loops -----------------------------------------------------------------------------------------

    def _changed(self, stream: Stream) -> None:
        self._book.changed(stream)
        self._nudge()

    def _nudge(self) -> None:
        self._wake.ring()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if self._loop is None or self._loop.is_running():
                work.close()
                log.exception("a stream was added outside of the event loop; it is reported, but not counted")
                return
            # Started for a loop that does not run yet.
            loop = self._loop
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lasting(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs a loop that must not end. Whatever is wrong with it is our fault and not the program's."""
        backoff = Backoff()
        while True:
            try:
                await loop()
            except Exception:
                log.exception("a mistake in sattva_streamer; it goes on")
                await asyncio.sleep(backoff.failed(random.random()))  # noqa: S311

    async def _report_forever(self) -> None:
        backoff = Backoff()
        next_round = self.clock.now()
        while True:
            await self._wake.wait(next_round - self.clock.now())
            now = self.clock.now()
            if now >= next_round:
                next_round = now + self._report_every
                self._book.all_due()
            try:
                more = await self._send_batch()
            except (Unreachable, Rejected, Garbage) as error:
                await asyncio.sleep(self._failed(backoff, error))
                # What is said then is what is so then.
                next_round = self.clock.now()
            else:
                backoff.succeeded()
                if self._book.has_due:
                    self._wake.ring()
                await asyncio.sleep(0 if more else CHANGE_GAP)

    async def _poll_forever(self) -> None:
        backoff = Backoff()
        while True:
            began = self.clock.now()
            if self._book.streams():
                try:
                    await self._exchange([], [], [], LONG_POLL)
                except (Unreachable, Rejected, Garbage) as error:
                    await asyncio.sleep(self._failed(backoff, error))
                    continue
                backoff.succeeded()
            await asyncio.sleep(max(0.0, POLL_GAP - (self.clock.now() - began)))

    async def _count_forever(self, stream: Stream, count: Count) -> None:
        failed = False
        while not stream.is_over:
            asked_at = self.clock.now()
            try:
                listeners = await within(COUNT_PATIENCE, count())
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # What is known grows old and is then unknown.
                if not failed:
                    log.warning(
                        "%s: the listeners cannot be counted: %s",
                        stream.channel_id,
                        error or type(error).__name__,
                    )
                failed = True
            else:
                failed = False
                stream.update(listeners=listeners, counted_at=asked_at)
            await asyncio.sleep(max(0.0, stream.interval - (self.clock.now() - asked_at)))

    # -- talking to the daemon -------------------------------------------------------------------------

    async def _send_batch(self) -> bool:
        """Sends what is due, at most a batch of it; True if more may follow at once."""
        acks = self._outcomes.unheard()
        due = self._book.next_batch()
        pages, reports = self._written(due)
        if not pages and not acks:
            return False
        try:
            await self._exchange(pages, reports, acks, 0)
        except Rejected as error:
            self._book.failed(pages)
            if not self._set_aside(error, pages, acks):
                raise
            return True
        except BaseException:
            self._book.failed(pages)
            raise
        return len(due) == self._book.batch or any(page.stream.is_over for page in pages)

    def _written(self, due: list[Page]) -> tuple[list[Page], list[Json]]:
        """The snapshots of a batch, as things are now; one that cannot be written does not hold up the others."""
        pages, reports = [], []
        for page in due:
            try:
                report = page.stream.report(self._report_every).to_json()
            except Exception:
                self._book.set_aside(page)
                log.exception("%s: this report cannot be written, so the stream is unknown", page.stream.channel_id)
            else:
                pages.append(page)
                reports.append(report)
        return pages, reports

    async def _say_the_last_words(self) -> None:
        while self._book.has_due or self._outcomes.unheard():
            await self._send_batch()

    def _set_aside(self, error: Rejected, pages: list[Page], acks: list[Ack]) -> bool:
        """Takes out of the way what the daemon cannot take, so that the rest gets through."""
        place = error.place("reports")
        if place is not None and place < len(pages):
            self._book.set_aside(pages[place])
            log.error("%s: the daemon cannot take this report: %s", pages[place].stream.channel_id, error)
            return True
        place = error.place("acks")
        if place is not None and place < len(acks):
            self._outcomes.heard([acks[place]])
            log.error("the daemon cannot take this acknowledgement: %s", error)
            return True
        if error.status == 413 and self._book.batch > 1:
            self._book.batch //= 2
            return True
        return False

    async def _exchange(self, pages: list[Page], reports: list[Json], acks: list[Ack], wait_seconds: int) -> None:
        sent_at = self.clock.now()
        body: Json = {
            "source": self.source,
            "reports": reports,
            "acks": [ack.to_json() for ack in acks],
            "wait_seconds": wait_seconds,
        }
        answer = read_answer(await self._transport.post(body, wait_seconds + ANSWER_PATIENCE), sent_at)
        if self._away_since is not None:
            log.warning("the daemon at %s is back after %.0f s", self._url, self.clock.now() - self._away_since)
            self._away_since = None
        self._outcomes.heard(acks)
        self._report_every = answer.report_every
        if pages:
            self._delivered(pages, answer)
        for command in answer.commands:
            self._take(command)
        for unreadable in answer.unreadable:
            self._decline(unreadable)

    def _delivered(self, pages: list[Page], answer: Answer) -> None:
        renewed, contested = self._book.delivered(pages, answer)
        for stream in renewed:
            log.warning(
                "%s: the daemon knows a session that began later than this one, so the clock was set back; "
                "going on as session %s",
                stream.channel_id,
                stream.session,
            )
        for stream in contested:
            log.error(
                "%s: the daemon prefers a newer session of %s: another program reports under this name. "
                "Give each its own source",
                stream.channel_id,
                self.source,
            )

    def _failed(self, backoff: Backoff, error: Exception) -> float:
        asked_for = error.retry_after if isinstance(error, Rejected) else None
        if self._away_since is None:
            self._away_since = self.clock.now()
            log.warning("reports do not reach the daemon at %s: %s; trying again", self._url, error)
        return backoff.failed(random.random(), asked_for)  # noqa: S311

    # -- obeying ---------------------------------------------------------------------------------------

    def _decline(self, unreadable: Unreadable) -> None:
        log.error("a command that is not carried out: %s", unreadable)
        if unreadable.command_id is not None and not self._outcomes.repeat(unreadable.command_id):
            self._settle(Ack(unreadable.command_id, Outcome.ERROR, str(unreadable)))

    def _settle(self, ack: Ack) -> None:
        self._outcomes.settle(ack)
        self._nudge()

    def _take(self, command: StopCommand) -> None:
        if command.id in self._obeying:
            return
        if self._outcomes.repeat(command.id):
            # With the next round: a daemon that does not listen must not make us hurry.
            return
        if len(self._obeying) >= OBEYING_MAX:
            log.warning("too many commands at once; they come again")
            return
        self._obeying.add(command.id)
        self._spawn(self._obey(command))

    async def _obey(self, command: StopCommand) -> None:
        try:
            ack = await self._carry_out(command)
        finally:
            self._obeying.discard(command.id)
        if ack is not None:
            log.info("%s: stop %s: %s %s", command.channel_id, command.id, ack.outcome.value, ack.detail)
            self._settle(ack)

    async def _carry_out(self, command: StopCommand) -> Ack | None:
        stream = self._book.on_air(command.channel_id)
        if stream is None and not self._book.had(command.session):
            # The daemon would take a refusal for a listener. The one whom it is for gets it again.
            log.error(
                "%s: a stop of a session that this program never had is left to whoever has it: another program "
                "reports under the name %s, or did before this one. Give each its own source",
                command.channel_id,
                self.source,
            )
            return None
        claim = judge_claim(
            command,
            now=self.clock.now(),
            session=None if stream is None else stream.session,
            state=State.STOPPED if stream is None else stream.state,
        )
        if claim is not None or stream is None:
            return self._declined(command, claim or Verdict(Decision.REFUSE, "this channel is not on the air"))
        counted_since = self.clock.now() - stream.interval - GUARD_SLACK
        if stream.count is not None and command.only_if is not None:
            for _ in range(COUNT_TRIES):
                counted_since = self.clock.now()
                try:
                    listeners = await within(COUNT_PATIENCE, stream.count())
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    why = f"the listeners cannot be counted: {str(error) or type(error).__name__}"
                    return self._declined(command, Verdict(Decision.REFUSE, why))
                stream.update(listeners=listeners, counted_at=counted_since)
                if self.clock.now() - counted_since <= COUNT_AGE_MAX or self.clock.now() >= command.deadline:
                    break
            else:
                # Somebody may have come after the first one was counted.
                why = f"counting takes longer than {COUNT_AGE_MAX:g} s"
                return self._declined(command, Verdict(Decision.REFUSE, why))
        try:
            verdict = await within(STOP_PATIENCE, self._stop_if(command, stream, counted_since))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("%s: the stream could not be stopped", command.channel_id)
            return Ack(command.id, Outcome.ERROR, str(error) or type(error).__name__)
        if verdict.decision is not Decision.STOP:
            return self._declined(command, verdict)
        stream.ended()
        return Ack(command.id, Outcome.OK, verdict.why)

    async def _stop_if(self, command: StopCommand, stream: Stream, counted_since: float) -> Verdict:
        # Nothing may be awaited between the verdict and the stop: somebody could join in between.
        current = self._book.on_air(command.channel_id)
        verdict = judge(
            command,
            now=self.clock.now(),
            session=None if current is None else current.session,
            state=stream.state,
            evidence=stream.evidence(),
            counted_since=counted_since,
        )
        if verdict.decision is Decision.STOP:
            await stream.stop(command)
        return verdict

    def _declined(self, command: StopCommand, verdict: Verdict) -> Ack | None:
        if verdict.decision is Decision.LET_LAPSE:
            log.warning("%s: stop %s came too late: %s", command.channel_id, command.id, verdict.why)
            return None
        return Ack(command.id, Outcome.REFUSED, verdict.why)
