#!/usr/bin/env python3
"""Takes the place of api.telegram.org: keeps, and prints, what a bot sends.

usage: fake_telegram.py [--port 8081]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOST_CHARACTERS = 4096
TAGS = {"b", "strong", "i", "em", "u", "s", "a", "code", "pre", "blockquote", "tg-spoiler"}


@dataclass(frozen=True)
class Message:
    token: str
    chat_id: int
    text: str
    """As a person sees it."""
    at: float


class Marked(HTMLParser):
    """Telegram's HTML: few tags, each closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open = "", list[str]()
        self.feed(text)
        self.close()
        if self.open:
            raise ValueError(f"can't find end tag corresponding to start tag {self.open[-1]}")
        if "<" in re.sub(r"</?[a-z-]+[^<>]*>", "", text):
            raise ValueError("an unescaped <")

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag not in TAGS:
            raise ValueError(f'unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"unexpected end tag {tag}")

    def handle_data(self, data: str) -> None:
        self.text += data


class FakeTelegram:
    def __init__(self, port: int = 0, quiet: bool = True) -> None:
        self.messages: list[Message] = []
        self.refusals: list[int] = []
        """Statuses that the next requests are answered with."""
        self.refused: list[int] = []
        self._quiet = quiet
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, answer = outer._answer(self.path, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refuse_next(self, statuses: Iterable[int]) -> None:
        self.refusals.extend(statuses)

    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.refusals:
            status = self.refusals.pop(0)
            self.refused.append(status)
            return status, refusal(status, "refused, as the test wants")
        method = re.fullmatch(r"/bot(\d+:[\w-]+)/sendMessage", path)
        if not method:
            return 404, refusal(404, "Not Found")
        try:
            fields = json.loads(body)
            chat_id, sent = int(fields["chat_id"]), str(fields["text"])
            text = Marked(sent).text if fields.get("parse_mode") == "HTML" else sent
            if not text.strip():
                raise ValueError("message text is empty")
            if len(text) > MOST_CHARACTERS:
                raise ValueError("message is too long")
        except (KeyError, ValueError) as error:
            self.refused.append(400)
            return 400, refusal(400, f"Bad Request: {error}")
        message = Message(method[1], chat_id, text, time.time())
        self.messages.append(message)
        if not self._quiet:
            print(f"--- to {chat_id}\n{text}", flush=True)
        chat = {"id": chat_id, "type": "private"}
        return 200, {
            "ok": True,
            "result": {"message_id": len(self.messages), "date": int(message.at), "chat": chat, "text": text},
        }


def refusal(status: int, description: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if status == 429:
        answer["description"] = "Too Many Requests: retry after 1"
        answer["parameters"] = {"retry_after": 1}
    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8081)
    telegram = FakeTelegram(parser.parse_args().port, quiet=False)
    print(f"{telegram.url} takes what Alertmanager sends; Ctrl-C ends it", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
