"""`python -m triage.inference.host.nursery`: has torch in memory and makes models' processes by fork.

Importing torch and MONAI takes seconds; a fork takes milliseconds. So a model that died, or was killed, is
back at once. The nursery itself never touches a bundle. It ends, with all that it made, when the worker that
started it closes the connection or dies.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from triage.inference.host import sandbox

_MOST_FDS = 16


def main(handle: int, parent: int) -> None:
    """Serve until the connection ends.

    Args:
        handle: file descriptor of the connection.
        parent: process id of the worker.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the worker decides: the end of the connection is the end
        signal.signal(number, signal.SIG_IGN)
    sandbox.end_with_parent()
    if os.getppid() != parent:
        return
    from triage.inference.host import work

    work.load_libraries()
    gc.collect()
    gc.freeze()
    _Nursery(socket.socket(fileno=handle)).serve()


class _Nursery:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._living: set[int] = set()
        self._ends: list[int] = []

    def serve(self) -> None:
        pending = b""
        while True:
            try:
                content, ends, _, _ = socket.recv_fds(self._control, 65536, _MOST_FDS)
            except ConnectionResetError:  # the worker was killed and left answers unread
                break
            self._ends += ends
            if not content:
                break
            *lines, pending = (pending + content).split(b"\n")
            for line in lines:
                self._answer(json.loads(line))
        for pid in self._living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        folder = Path(tempfile.gettempdir())
        if folder.name.startswith(sandbox.FOLDER_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)

    def _answer(self, request: dict[str, Any]) -> None:
        if "start" in request:
            answer = {"start": request["start"], "pid": self._start(request)}
        else:
            pid = request["reap"]
            # Not reaped before it is asked for: until then nobody else can get its process id.
            status = os.waitpid(pid, 0)[1] if pid in self._living else 0
            self._living.discard(pid)
            answer = {"reap": pid, "code": os.waitstatus_to_exitcode(status)}
        self._control.sendall(json.dumps(answer).encode() + b"\n")

    def _start(self, request: dict[str, Any]) -> int:
        end = self._ends.pop(0)
        confines = sandbox.Confines(
            readable=tuple(Path(p) for p in request["readable"]),
            scratch=Path(request["scratch"]),
            memory_mb=request["memory_mb"],
        )
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                self._control.close()
                for other in self._ends:
                    os.close(other)
                _become_host(end, confines, nursery)
                code = 0
            finally:
                os._exit(code)
        os.close(end)
        self._living.add(pid)
        return pid


def _become_host(end: int, confines: sandbox.Confines, nursery: int) -> None:
    from triage.inference.host import work

    sandbox.end_with_parent()
    if os.getppid() == nursery:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work.serve(socket.socket(fileno=end), confines)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
