"""A daemon in memory, as strict as the real one where it matters to a streamer."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import virtual_time
from sattva_streamer.transport import Rejected, Unreachable


@dataclass
class MemoryDaemon:
    """A `Transport` that is the daemon itself."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    """All that were taken."""
    acks: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    heard_at: list[float] = field(default_factory=list)
    away: bool = False
    deaf: bool = False
    """Takes everything in, but its answers are lost."""
    silent: bool = False
    """Never answers."""
    says: Any = None
    """Answered in place of anything sensible, if it is not None."""
    rejects: Rejected | None = None
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    holds: bool = True
    closed: bool = False
    redelivers: bool = True
    _newest: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    _past: set[str] = field(default_factory=set)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    # -- what a test says and sees ----------------------------------------------------------------------

    def orders(self, report: dict[str, Any], identity: str = "c1", **changes: Any) -> None:
        """Orders a stop of the session of that report."""
        command = {
            "id": identity,
            "type": "stop",
            "channel_id": report["channel_id"],
            "session": report["session"],
            "reason": "no_listeners",
            "valid_for_seconds": 60,
            "only_if": {"listeners_at_most": 0},
        }
        command.update(changes)
        self.commands[identity] = {name: value for name, value in command.items() if value is not None}
        self._told.set()

    def last(self, channel: str | int | None = None) -> dict[str, Any]:
        """The newest report, of one channel if it is named."""
        return next(r for r in reversed(self.reports) if channel is None or r["channel_id"] == str(channel))

    def outcome(self, identity: str = "c1") -> str | None:
        """How a command was answered last."""
        return next((ack["outcome"] for ack in reversed(self.acks) if ack["id"] == identity), None)

    def detail(self, identity: str = "c1") -> str:
        """And why."""
        return str(next(ack.get("detail", "") for ack in reversed(self.acks) if ack["id"] == identity))

    # -- the transport ----------------------------------------------------------------------------------

    async def post(self, body: dict[str, Any], patience: float) -> object:
        self.requests += 1
        self.heard_at.append(virtual_time.now())
        await asyncio.sleep(0.001)
        if self.silent:
            await asyncio.sleep(patience)
            raise Unreachable("no answer")
        if self.away:
            raise Unreachable("connection refused")
        if self.rejects is not None:
            raise self.rejects
        if self.says is not None:
            return self.says
        accepted = sum(self._take(report) for report in body["reports"])
        for ack in body["acks"]:
            self.acks.append(ack)
            self.commands.pop(ack["id"], None)
        if body["wait_seconds"] and not self.commands and self.holds:
            self._told.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told.wait(), body["wait_seconds"])
        if self.deaf:
            raise Unreachable("the answer was lost")
        commands = list(self.commands.values())
        if not self.redelivers:
            self.commands.clear()
        return {
            "accepted": accepted,
            "duplicates": len(body["reports"]) - accepted,
            "report_every_seconds": 5.0,
            "commands": commands,
        }

    async def close(self) -> None:
        self.closed = True

    def _take(self, report: dict[str, Any]) -> bool:
        channel, session, seq = report["channel_id"], report["session"], report["seq"]
        started_at = report.get("started_at", "")
        known, known_start, known_seq = self._newest.get(channel, ("", "", -1))
        if session == known and seq <= known_seq:
            return False
        older = bool(known_start and started_at and started_at < known_start)
        if session != known and (session in self._past or older):
            return False
        if known and session != known:
            self._past.add(known)
        self._newest[channel] = (session, started_at, seq)
        self.reports.append(report)
        return True
