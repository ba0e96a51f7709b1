"""How a model can fail in its process, in words that may stand in a run's row: no patient text."""

from __future__ import annotations


class ModelFailed(Exception):
    """The model gave no answer; the message says why."""

    tries = 1
    """How many attempts it is worth; the site's own maximum holds beside it."""


class ModelDied(ModelFailed):
    """Its process ended in the middle of the work: perhaps not by its own doing."""

    tries = 1000


class ModelTooSlow(ModelFailed):
    """It did not answer in its time: the machine may have been busy, but others wait behind it."""

    tries = 2


class ModelTooBig(ModelFailed):
    """It wanted more memory than it may have."""


class NotIsolated(ModelFailed):
    """The site asks for walls that this machine does not offer."""


class InputUnreadable(Exception):
    """The archive's files could not be read; the message names the kind of error."""
