"""Users whom the account has never met: Telegram cannot be asked about them."""

from __future__ import annotations

import logging

log = logging.getLogger("sattva_streamer")


class Strangers:
    """Remembers of whom it was told, because they are looked for with every count."""

    def __init__(self) -> None:
        """Nobody is a stranger yet."""
        self._told: set[int] = set()

    def one_is(self, user: int) -> None:
        """This one cannot be found, and so counts as a listener."""
        if user not in self._told:
            self._told.add(user)
            log.warning(
                "not_listeners: the account does not know the user %d, who counts as a listener until it does: "
                "correct the id, or let the account see a message of that user or share a group with it",
                user,
            )
