"""How an attempt to send may end, for all kinds of destinations. No patient text in the messages."""

from __future__ import annotations

from foundation.webhooks import NotNow, NotSent, Refused, Unreachable

__all__ = ["NotNow", "NotSent", "Refused", "Unreachable"]
