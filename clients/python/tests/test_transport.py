"""What can come over a wire."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from http_daemon import Handler, serving
from sattva_streamer.transport import ANSWER_BYTES_MAX, HttpTransport, Rejected, Unreachable


def ask(handler: Handler, patience: float = 2.0, **options: Any) -> object:
    async def told() -> object:
        async with serving(handler) as url:
            transport = HttpTransport(url, **options)
            try:
                return await transport.post({"source": "x"}, patience)
            finally:
                await transport.close()

    return asyncio.run(told())


def test_an_answer_comes_back_as_it_is() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.headers["content-type"] == "application/json"
        return web.json_response({"path": request.path, "said": await request.json()})

    assert ask(handler) == {"path": "/api/v1/ingest", "said": {"source": "x"}}


@pytest.mark.parametrize("body", ["", "<html>", "{", "[" * 100_000, "\0"])
def test_what_is_not_json_is_no_answer(body: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=body)

    with pytest.raises(Unreachable):
        ask(handler)


def test_an_endless_answer_is_cut_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" " * (ANSWER_BYTES_MAX // 10))
        return response

    with pytest.raises(Unreachable):
        ask(handler)


def test_a_redirect_is_not_followed() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"location": "http://127.0.0.1:1/"})

    with pytest.raises(Rejected) as error:
        ask(handler)
    assert error.value.status == 302


def test_nobody_there_and_nobody_answering_are_told_apart_from_a_refusal() -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(Unreachable):
        ask(slow, patience=0.2)

    async def nobody() -> None:
        transport = HttpTransport("http://127.0.0.1:1")
        try:
            await transport.post({}, 2)
        finally:
            await transport.close()

    with pytest.raises(Unreachable):
        asyncio.run(nobody())


def test_a_problem_names_its_field_and_when_to_come_again() -> None:
    async def handler(_: web.Request) -> web.Response:
        problem = {"code": "bad_report", "detail": "seq: no", "field": "reports[3].seq", "status": 400}
        return web.json_response(problem, status=400, headers={"retry-after": "7"})

    with pytest.raises(Rejected) as error:
        ask(handler)
    assert (error.value.code, error.value.place("reports"), error.value.place("acks")) == ("bad_report", 3, None)
    assert error.value.retry_after == 7.0


def test_a_token_is_sent_as_bearer_and_read_again_when_it_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("old\nnot this\n")
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["authorization"])
        return web.json_response({}, status=200 if seen[-1] == "Bearer new" else 401)

    async def told() -> None:
        async with serving(handler) as url:
            transport = HttpTransport(url, token_file=secret)
            secret.write_text("new")
            with pytest.raises(Rejected):
                await transport.post({}, 2)
            assert await transport.post({}, 2) == {}
            await transport.close()

    asyncio.run(told())
    assert seen == ["Bearer old", "Bearer new"]


def test_a_token_that_cannot_be_one_is_an_error_at_the_start(tmp_path: Path) -> None:
    for wrong in ("", "a b", "a\r\nx: y", "ü"):
        with pytest.raises(ValueError, match="token"):
            HttpTransport("http://127.0.0.1:1", token=wrong)
    with pytest.raises(ValueError, match="token_file"):
        HttpTransport("http://127.0.0.1:1", token_file=tmp_path / "missing")
    with pytest.raises(ValueError, match="not both"):
        HttpTransport("http://127.0.0.1:1", token="a", token_file=tmp_path)
