"""Reports listeners to Sattva Monitor and obeys its guarded stops."""

from .client import Client
from .command import OnlyIf, StopCommand
from .guard import Evidence
from .report import State
from .stream import Stream
from .track import Track

__all__ = ["Client", "Evidence", "OnlyIf", "State", "StopCommand", "Stream", "Track"]
__version__ = "0.1.0"
