"""Voice chats of Telegram, played with py-tgcalls."""

from .monitor import TelegramMonitor

__all__ = ["TelegramMonitor"]
