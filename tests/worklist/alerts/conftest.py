"""What the alerts' tests share."""

from __future__ import annotations

import pytest

from worklist.alerts import policies


@pytest.fixture(autouse=True)
def _forget_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version never changes; a test's versions end with it."""
    monkeypatch.setattr(policies, "_parsed", {})
