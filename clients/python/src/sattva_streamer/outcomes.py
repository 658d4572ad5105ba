"""What became of commands: remembered, so that one delivered twice is carried out once."""

from __future__ import annotations

import enum
from collections import OrderedDict
from dataclasses import dataclass

from .report import Json
from .text import usable_text

REMEMBERED_MAX = 1000
"""Outcomes remembered; the oldest is forgotten first. Commands live a minute, so this is plenty."""
UNHEARD_MAX = 1000
"""Acknowledgements kept until the daemon has heard them."""
DETAIL_MAX = 200
"""Characters of an explanation."""


class Outcome(enum.Enum):
    """How a command ended."""

    OK = "ok"
    REFUSED = "refused"
    """Somebody is there, or may be."""
    ERROR = "error"
    """It could not be done, or not be understood."""


@dataclass(frozen=True)
class Ack:
    """The answer to one command."""

    id: str
    outcome: Outcome
    detail: str = ""

    def to_json(self) -> Json:
        """The acknowledgement as the daemon reads it."""
        out: Json = {"id": self.id, "outcome": self.outcome.value}
        detail = usable_text(self.detail, DETAIL_MAX)
        if detail:
            out["detail"] = detail
        return out


class Outcomes:
    """Outcomes by command id, and those of them that the daemon has not heard yet."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Ack] = OrderedDict()
        self._unheard: OrderedDict[str, Ack] = OrderedDict()

    def settle(self, ack: Ack) -> None:
        """Notes how a command ended."""
        self._known[ack.id] = ack
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        self._tell(ack)

    def repeat(self, command_id: str) -> bool:
        """Answers a command delivered once more as it was answered before; False if it is new."""
        ack = self._known.get(command_id)
        if ack is None:
            return False
        self._tell(ack)
        return True

    def _tell(self, ack: Ack) -> None:
        self._unheard[ack.id] = ack
        while len(self._unheard) > UNHEARD_MAX:
            self._unheard.popitem(last=False)

    def unheard(self) -> list[Ack]:
        """What the next request must carry."""
        return list(self._unheard.values())

    def heard(self, acks: list[Ack]) -> None:
        """The daemon has them."""
        for ack in acks:
            if self._unheard.get(ack.id) is ack:
                del self._unheard[ack.id]
