"""Callers of the API, and what a test must not find from another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foundation.accounts.models import User
from foundation.audit import services as audit
from tests.worklist.api.caller import Caller
from worklist.alerts import policies


@pytest.fixture(autouse=True)
def _forget_recent_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads within a minute are one event; tests are quicker than that and share user ids."""
    monkeypatch.setattr(audit, "_recent", audit._Recent())


@pytest.fixture(autouse=True)
def _forget_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version never changes; a test's versions end with it."""
    monkeypatch.setattr(policies, "_parsed", {})


@pytest.fixture
def reader(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("radiologist", username="anna", display_name="Dr. Anna"))


@pytest.fixture
def other(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("radiologist", username="bert", display_name="Dr. Bert"))
