"""What `manage.py up` may start before it has looked at the database."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from worklist.operations import launch


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    database = tmp_path / "database.sqlite3"
    database.touch()
    with override_settings(DATABASES={"default": {"ENGINE": "x.sqlite3", "NAME": str(database)}}):
        yield tmp_path


def test_the_web_server_waits_for_the_database_the_first_time(run_dir: Path) -> None:
    assert not launch._schema_is_current(run_dir)


def test_the_web_server_starts_at_once_where_the_last_start_left_the_database_migrated(run_dir: Path) -> None:
    launch.remember_schema(run_dir)
    assert launch._schema_is_current(run_dir)


def test_the_web_server_waits_when_the_code_brought_a_migration(run_dir: Path, tmp_path: Path) -> None:
    launch.remember_schema(run_dir)
    code = tmp_path / "code"
    (code / "pacs" / "migrations").mkdir(parents=True)
    (code / "pacs" / "migrations" / "0999_new.py").touch()
    (code / "requirements.txt").touch()
    with override_settings(BASE_DIR=code):
        assert not launch._schema_is_current(run_dir)


def test_the_web_server_waits_when_the_database_is_gone(run_dir: Path) -> None:
    launch.remember_schema(run_dir)
    (run_dir / "database.sqlite3").unlink()
    assert not launch._schema_is_current(run_dir)


def test_a_second_start_on_the_same_data_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [sys.executable, "manage.py", "up", "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.embedded"},
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"Firstread cannot start. Firstread already runs on {tmp_path}. End it first, or choose another "
        "--data-dir.\n"
    )
