"""One request to the daemon and its answer: the only place that opens a connection."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from .report import Json

INGEST = "/api/v1/ingest"
CONNECT_PATIENCE = 5.0
"""Seconds."""
ANSWER_PATIENCE = 10.0
"""Seconds for an answer, beside what the daemon was asked to hold it back."""
ANSWER_BYTES_MAX = 1 << 20
TOKEN_BYTES_MAX = 4096


class Unreachable(Exception):
    """The daemon was not heard: whether it heard us is not known."""


class Rejected(Exception):
    """The daemon did not take the request, and says why."""

    def __init__(self, status: int, code: str, detail: str, where: str, retry_after: float | None) -> None:
        super().__init__(f"{status} {code}: {detail}" if detail else f"{status} {code}")
        self.status = status
        self.code = code
        self.where = where
        """The field that is wrong, such as `reports[3].seq`; empty if none was named."""
        self.retry_after = retry_after
        """Seconds."""

    def place(self, of: str) -> int | None:
        """The index in the list `of` that is named as wrong."""
        found = re.match(rf"{of}\[(\d{{1,6}})\]", self.where)
        return int(found[1]) if found else None


class Transport(Protocol):
    """Carries a request to the daemon."""

    async def post(self, body: Json, patience: float) -> object:
        """The JSON of the answer.

        Args:
            body: the request.
            patience: seconds until it is given up.

        Raises:
            Unreachable: no answer, or one that is not JSON.
            Rejected: an answer with an error's status.
        """

    async def close(self) -> None:
        """Lets go of the connections."""


class HttpTransport:
    """HTTP with aiohttp, which py-tgcalls has in the house already."""

    def __init__(self, url: str, token: str | None = None, token_file: str | Path | None = None) -> None:
        """Where to report.

        Args:
            url: the daemon's address, such as `http://127.0.0.1:8080`.
            token: sent as `Authorization: Bearer`.
            token_file: the first line of this file is the token; read again when the daemon refuses it.

        Raises:
            ValueError: the address or the token cannot be right.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"url {url[:200]!r}: write it as http://HOST:PORT or https://HOST")
        if token is not None and token_file is not None:
            raise ValueError("give token or token_file, not both")
        self.url = url.rstrip("/") + INGEST
        self._token_file = None if token_file is None else Path(token_file)
        self._token = self._read_token() if token is None else _usable(token, "token")
        self._session: aiohttp.ClientSession | None = None

    def _read_token(self) -> str | None:
        if self._token_file is None:
            return None
        try:
            with self._token_file.open("rb") as file:
                text = file.read(TOKEN_BYTES_MAX).decode("ascii", "replace")
        except OSError as error:
            raise ValueError(f"token_file {self._token_file}: {error.strerror}") from error
        return _usable(text.partition("\n")[0].strip(), f"token_file {self._token_file}")

    async def post(self, body: Json, patience: float) -> object:
        """See `Transport.post`."""
        if self._session is None:
            # No proxies from the environment and no redirects: reports go where they were told to go.
            self._session = aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
        headers = {"content-type": "application/json"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        timeout = aiohttp.ClientTimeout(total=patience, connect=CONNECT_PATIENCE)
        try:
            async with self._session.post(
                self.url,
                data=json.dumps(body).encode(),
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                text = await _read(response.content)
                status, retry_after = response.status, response.headers.get("retry-after", "")
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        try:
            answer: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            if status == 200:
                raise Unreachable("an answer that is not JSON") from error
            answer = None
        if status != 200:
            if status == 401:
                self._renew_token()
            raise _rejected(status, answer, retry_after)
        return answer

    def _renew_token(self) -> None:
        if self._token_file is not None:
            try:
                self._token = self._read_token()
            except ValueError:
                return  # The old one is refused already, and that is what gets logged.

    async def close(self) -> None:
        """See `Transport.close`."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    chunks = bytearray()
    async for chunk in content.iter_any():
        chunks += chunk
        if len(chunks) > ANSWER_BYTES_MAX:
            raise ValueError(f"an answer longer than {ANSWER_BYTES_MAX} bytes")
    return bytes(chunks)


def _usable(token: str, where: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{where}: a token is printable ASCII without spaces")
    return token


def _rejected(status: int, answer: object, retry_after: str) -> Rejected:
    problem = answer if isinstance(answer, dict) else {}

    def text(name: str) -> str:
        value = problem.get(name)
        return value[:500] if isinstance(value, str) else ""

    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    return Rejected(status, text("code") or "without a code", text("detail"), text("field"), seconds)
