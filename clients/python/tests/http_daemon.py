"""A daemon behind real HTTP on the loopback: it takes reports, orders stops and notes the answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serves every path; gives the address."""
    app = web.Application(client_max_size=1 << 22)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class HttpDaemon:
    """Holds requests until there is a command, as the real one does."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.acks: dict[str, dict[str, Any]] = {}
        self.commands: dict[str, dict[str, Any]] = {}
        self._told = asyncio.Event()

    async def ingest(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/api/v1/ingest"
        body = await request.json()
        self.reports.extend(body["reports"])
        for ack in body["acks"]:
            self.acks[ack["id"]] = ack
            self.commands.pop(ack["id"], None)
        if body["wait_seconds"] and not self.commands:
            self._told.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told.wait(), body["wait_seconds"])
        return web.json_response(
            {
                "accepted": len(body["reports"]),
                "duplicates": 0,
                "report_every_seconds": 5.0,
                "commands": list(self.commands.values()),
            }
        )

    def orders(self, report: dict[str, Any], identity: str = "c1") -> None:
        self.commands[identity] = {
            "id": identity,
            "type": "stop",
            "channel_id": report["channel_id"],
            "session": report["session"],
            "reason": "no_listeners",
            "valid_for_seconds": 60,
            "only_if": {"listeners_at_most": 0},
        }
        self._told.set()

    async def until(self, what: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Waits for a condition; it must come."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + seconds
        while not (seen := what()):
            assert loop.time() < give_up, f"waited {seconds} s in vain; reports: {self.reports[-3:]} {self.acks}"
            await asyncio.sleep(0.02)
        return seen

    def last(self, **fields: Any) -> dict[str, Any] | None:
        """The newest report, if it has these fields."""
        report = self.reports[-1] if self.reports else None
        fits = report is not None and all(report[name] == value for name, value in fields.items())
        return report if fits else None
