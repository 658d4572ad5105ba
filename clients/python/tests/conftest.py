"""What every test needs."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def _no_look_for_news() -> None:
    """py-tgcalls would ask the network for its newest version."""
    try:
        from pytgcalls.pytgcalls_session import PyTgCallsSession
    except ImportError:
        return
    PyTgCallsSession.notice_displayed = True


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("telethon").setLevel(logging.WARNING)
    logging.getLogger("pyrogram").setLevel(logging.ERROR)
