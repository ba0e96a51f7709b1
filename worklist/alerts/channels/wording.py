"""What a message says: that an alert waits, since when, and where to answer. Never of whom or what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings


@dataclass(frozen=True)
class Words:
    """A message for one recipient.

    Attributes:
        key: the same at every attempt, so that receivers know a repeated message.
        alert: number of the alert.
        round: how often it was told before.
        raised_at, deadline_at: when it rang, and when the next in line is told.
        link: where this recipient answers, once.
    """

    key: str
    alert: int
    round: int
    raised_at: datetime
    deadline_at: datetime
    link: str

    @property
    def title(self) -> str:
        """One line."""
        again = " (nobody has answered yet)" if self.round else ""
        return f"{settings.SITE_NAME}: urgent alert {self.alert} waits for an answer{again}"

    @property
    def text(self) -> str:
        """For e-mail."""
        return (
            f"Alert {self.alert} rang at {self.raised_at:%H:%M} UTC and waits for a named person.\n"
            f"Without an answer the next in line is told at {self.deadline_at:%H:%M} UTC.\n\n"
            f"Answer: {self.link}\n\n"
            "For the patient, the finding and the images sign in on the ER page: "
            f"{settings.PUBLIC_URL}/er\n"
        )

    @property
    def short(self) -> str:
        """For SMS: one line and the link."""
        return f"{self.title}. {self.link}"
