"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.db import connection
from django.test import TransactionTestCase

from foundation.accounts.models import User
from foundation.accounts.services import create_user, issue_token
from foundation.databases import drop_append_only, make_append_only
from tests import with_postgresql
from tests.chromium import chromium, sign_in  # noqa: F401  (fixtures)
from tests.house import House

# A busy machine is no failure of a rule.
hypothesis.settings.register_profile("firstread", deadline=None)
hypothesis.settings.load_profile("firstread")

PROJECT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("FIRSTREAD_SHARED_DATA", PROJECT.parent / "shared" / "data"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real CT data is not on users' machines: its tests say so instead of failing.

    Beside PostgreSQL only what touches a database runs: the rest has nothing to tell that SQLite's run did not.
    """
    if os.environ.get(with_postgresql.VARIABLE):
        without = [item for item in items if not _touches_a_database(item)]
        items[:] = [item for item in items if _touches_a_database(item)]
        config.hook.pytest_deselected(items=without)
    if SHARED_DATA.is_dir():
        return
    for item in items:
        if item.get_closest_marker("needs_shared_data"):
            item.add_marker(pytest.mark.skip(reason="needs the real CT data (FIRSTREAD_SHARED_DATA)"))


def _touches_a_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return (
        bool(fixtures & {"db", "transactional_db", "house"})
        or issubclass(getattr(item, "cls", None) or object, TransactionTestCase)
        or any(item.get_closest_marker(name) for name in ("django_db", "acceptance", "browser", "faults"))
    )


def pytest_terminal_summary(terminalreporter: object) -> None:
    """Say aloud how many tests did not run for want of the real data."""
    skipped = getattr(terminalreporter, "stats", {}).get("skipped", [])
    missing = [r for r in skipped if "needs the real CT data" in str(r.longrepr)]
    if missing:
        terminalreporter.write_line(  # type: ignore[attr-defined]
            f"NOT RUN: {len(missing)} tests need the real CT data, which is not at {SHARED_DATA}."
        )


@pytest.fixture(scope="session", autouse=True)
def _flush_may_empty_the_audit_trail() -> Iterator[None]:
    """Tests that commit are cleaned up by deleting every row, which the trail's triggers refuse."""
    tables = ("audit_auditevent", "audit_auditseal", "triage_modeldecision")
    teardown = TransactionTestCase._fixture_teardown

    def without_triggers(self: TransactionTestCase) -> None:
        editor = connection.SchemaEditorClass(connection)
        for table in tables:
            drop_append_only(editor, table)
        teardown(self)
        for table in tables:
            make_append_only(editor, table)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", without_triggers)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real CT data; only for tests marked needs_shared_data."""
    return SHARED_DATA


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """make_user("radiologist", username="…", **fields) -> User with password `correct horse battery`."""

    def make(*roles: str, username: str = "", **fields: str) -> User:
        name = username or f"{roles[0] if roles else 'nobody'}-{User.objects.count()}"
        return create_user(username=name, password="correct horse battery", roles=list(roles), **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def token_headers(make_user: Callable[..., User]) -> Callable[..., dict[str, str]]:
    """token_headers("service") -> headers for Django's test client."""

    def make(*roles: str) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": f"Token {issue_token(user=make_user(*roles))}"}

    return make


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole system, started once for all tests that look at it from outside."""
    made = House(tmp_path_factory.mktemp("house"))
    made.start()
    yield made
    made.stop()
