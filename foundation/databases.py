"""What differs between SQLite and PostgreSQL in SQL, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def is_postgresql() -> bool:
    """True where the default database is PostgreSQL."""
    return connection.vendor == "postgresql"


@contextmanager
def exclusive(lock: int) -> Iterator[None]:
    """A transaction that only one process at a time holds for `lock`.

    PostgreSQL takes an advisory lock; SQLite has one writer by nature (BEGIN IMMEDIATE).
    """
    with transaction.atomic():
        if is_postgresql():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        yield


def make_append_only(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Install triggers on `table` that refuse UPDATE and DELETE (and TRUNCATE on PostgreSQL)."""
    if editor.connection.vendor == "postgresql":
        editor.execute(
            "CREATE OR REPLACE FUNCTION firstread_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
            params=None,
        )
        editor.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION firstread_append_only()",
            params=None,
        )
        editor.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION firstread_append_only()",
            params=None,
        )
        return
    for verb in ("UPDATE", "DELETE"):
        editor.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
            params=None,
        )


def drop_append_only(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Remove what make_append_only installed."""
    if editor.connection.vendor == "postgresql":
        for trigger in (f"{table}_append_only", f"{table}_no_truncate"):
            editor.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {table}", params=None)
        return
    for verb in ("update", "delete"):
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}", params=None)
