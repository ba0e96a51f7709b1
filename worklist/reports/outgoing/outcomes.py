"""How an attempt to send may end, for all kinds of destinations. No patient text in the messages."""

from __future__ import annotations


class NotSent(Exception):
    """The destination has not taken it."""


class Unreachable(NotSent):
    """It does not answer: everything for it waits, and one at a time is tried again."""


class NotNow(NotSent):
    """It answered, and did not take this one: this one is tried again later."""


class Refused(NotSent):
    """It will never take this one as it is: a person has to look."""
