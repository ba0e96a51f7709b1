"""`python -m triage.inference.host.probe`: raise the walls and run against them, so that what is told was seen."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from triage.inference.host.sandbox import PROJECT, Confines, Isolation, confine, environment


def probe() -> Isolation:
    """Which walls really stand on this machine; takes a moment, so ask once."""
    with tempfile.TemporaryDirectory(prefix="firstread-probe-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-m", __name__, folder],
                cwd=PROJECT,
                env=environment(Path(folder)),
                capture_output=True,
                timeout=60,
                check=True,
            )
            return Isolation(**json.loads(done.stdout))
        except (subprocess.SubprocessError, ValueError, TypeError):
            return Isolation()


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


if __name__ == "__main__":
    confine(Confines((), Path(sys.argv[1]), 512))
    found = Isolation(
        network=_refused(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1)),
        processes=_refused(_fork),
        files=_refused((PROJECT / "manage.py").read_bytes) and _refused((PROJECT / "written").touch),
    )
    sys.stdout.write(json.dumps(found.as_json()))
