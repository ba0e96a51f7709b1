"""How a model can fail in its process, in words that may stand in a run's row: no patient text."""

from __future__ import annotations


class ModelFailed(Exception):
    """The model gave no answer; the message says why."""

    again = False
    """May another attempt end otherwise?"""


class ModelDied(ModelFailed):
    """Its process ended in the middle of the work."""

    again = True


class ModelTooSlow(ModelFailed):
    """It did not answer in its time."""

    again = True


class ModelTooBig(ModelFailed):
    """It wanted more memory than it may have."""


class NotIsolated(ModelFailed):
    """The site asks for walls that this machine does not offer."""


class InputUnreadable(Exception):
    """The archive's files could not be read; the message names the kind of error."""
