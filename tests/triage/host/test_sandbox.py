"""What a confined process can still do: compute. Each test is a process of its own that tries the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triage.inference.host import landlock, sandbox, seccomp

PROJECT = Path(__file__).resolve().parents[3]
FRAME = """
import json, sys
from pathlib import Path
from triage.inference.host import sandbox
scratch, *readable = map(Path, json.loads(sys.argv[1]))
isolation = sandbox.confine(sandbox.Confines(tuple(readable), scratch, 512))
def told(f):
    try:
        return str(f())
    except BaseException as error:
        return type(error).__name__
{code}
"""

needs_filter = pytest.mark.skipif(not seccomp.known(), reason="no system call filter on this system")
needs_landlock = pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")


def confined(code: str, tmp_path: Path, *readable: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in a confined process whose scratch folder is tmp_path/scratch."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", FRAME.format(code=code), json.dumps([str(p) for p in (scratch, *readable)])],
        cwd=PROJECT,
        env=sandbox.environment(scratch),
        capture_output=True,
        text=True,
        timeout=120,
    )


def told(expressions: list[str], tmp_path: Path, *readable: Path) -> list[str]:
    """What each expression gives there: its value, or the name of the exception."""
    lines = "\n".join(f"print(told(lambda: {expression}))" for expression in expressions)
    code = f"import ctypes, os, resource, signal, socket, subprocess, threading\n{lines}"
    done = confined(code, tmp_path, *readable)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@needs_filter
def test_no_socket_can_be_made_or_reached(tmp_path: Path) -> None:
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET")
    assert told([f"socket.socket(socket.{f})" for f in families], tmp_path) == ["PermissionError"] * 5
    assert told(["socket.create_connection(('127.0.0.1', 22))"], tmp_path) == ["PermissionError"]


@needs_filter
def test_no_process_can_be_started_or_signalled(tmp_path: Path) -> None:
    tries = [
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "subprocess.run(['/bin/true'])",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "os.kill(1, signal.SIGTERM)",
        "os.kill(-1, signal.SIGTERM)",
        "os.setsid()",
        "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (1, 1))",
    ]
    assert told(tries, tmp_path) == ["PermissionError"] * len(tries)


@needs_filter
def test_threads_and_signals_to_itself_still_work(tmp_path: Path) -> None:
    code = """
import os, signal, threading
done = []
threads = [threading.Thread(target=lambda: done.append(1)) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
os.kill(os.getpid(), 0)
print(len(done))
os.abort()
"""
    done = confined(code, tmp_path)
    assert done.stdout == "8\n" and done.returncode == -6


@needs_filter
def test_the_calls_that_go_round_a_filter_are_closed(tmp_path: Path) -> None:
    tries = [
        f"ctypes.CDLL(None, use_errno=True).syscall({seccomp.REFUSED[name][column]}, 0, 0, 0, 0)"
        for column in [list(seccomp.ARCHITECTURES).index(os.uname().machine)]
        for name in ("io_uring_setup", "ptrace", "bpf", "userfaultfd", "unshare", "mount", "pidfd_open")
    ]
    assert told(tries, tmp_path) == ["-1"] * len(tries)


@needs_landlock
def test_only_the_named_files_can_be_read_and_none_changed(tmp_path: Path) -> None:
    secret, bundle = tmp_path / "secret_key", tmp_path / "bundle"
    secret.write_text("key")
    bundle.mkdir()
    (bundle / "weights").write_text("w")
    tries = [
        f"Path({str(secret)!r}).read_text()",
        f"os.listdir({str(tmp_path)!r})",
        f"Path({str(PROJECT)!r}, 'manage.py').read_text()",
        f"os.listdir({str(PROJECT / 'tests')!r})",
        "Path('/etc/passwd').read_text()",
        "Path(f'/proc/{os.getppid()}/environ').read_bytes()",
        f"Path({str(bundle)!r}, 'weights').write_text('x')",
        f"Path({str(bundle)!r}, 'weights').unlink()",
        f"Path({str(bundle)!r}, 'more').touch()",
        f"os.truncate({str(bundle / 'weights')!r}, 0)",
        f"os.chmod({str(bundle / 'weights')!r}, 0)",
        f"os.utime({str(bundle / 'weights')!r})",
        f"os.link({str(bundle / 'weights')!r}, scratch / 'weights')",
        f"os.rename({str(bundle / 'weights')!r}, scratch / 'weights')",
    ]
    refused = told(tries, tmp_path, bundle)
    assert set(refused) <= {"PermissionError", "OSError"}, dict(zip(tries, refused, strict=True))
    assert (bundle / "weights").read_text() == "w"
    assert told([f"Path({str(bundle)!r}, 'weights').read_text()"], tmp_path, bundle) == ["w"]


def test_its_own_folder_can_be_written_and_libraries_still_load(tmp_path: Path) -> None:
    tries = [
        "(scratch / 'a').write_text('x')",
        "(scratch / 'a').rename(scratch / 'b')",
        "(scratch / 'b').unlink()",
        "__import__('tempfile').TemporaryFile().write(b'x')",
        "__import__('sqlite3').connect(':memory:').execute('select 1').fetchone()[0]",
        "__import__('numpy').ones(3).sum()",
        "len(Path('/proc/self/status').read_text()) > 0",
    ]
    assert told(tries, tmp_path) == ["1", str(tmp_path / "scratch" / "b"), "None", "1", "1", "3.0", "True"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts anonymous memory")
def test_more_memory_than_allowed_is_refused_and_no_core_is_written(tmp_path: Path) -> None:
    tries = [
        "len(bytearray(3 << 30))",
        "len(bytearray(100 << 20))",
        "resource.getrlimit(resource.RLIMIT_CORE)",
    ]
    assert told(tries, tmp_path) == ["MemoryError", str(100 << 20), "(0, 0)"]


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_root_has_no_capabilities_left_and_gains_none(tmp_path: Path) -> None:
    code = (
        "print(*[l for l in Path('/proc/self/status').read_text().splitlines() if l[:3] in ('Cap', 'NoN')])"
    )
    words = confined(code, tmp_path).stdout.split()
    values = dict(zip(words[::2], words[1::2], strict=True))
    assert int(values["CapEff:"], 16) == int(values["CapPrm:"], 16) == 0
    assert values["NoNewPrivs:"] == "1"


def test_no_secret_of_the_worker_is_handed_on(tmp_path: Path) -> None:
    present = {
        "PATH": "/bin",
        "FIRSTREAD_SECRET_KEY": "s",
        "FIRSTREAD_DATABASE_URL": "postgresql://user:password@db/x",
        "FIRSTREAD_BROKER_URL": "redis://:password@x",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    kept = sandbox.environment(tmp_path, present)
    assert kept == {"PATH": "/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}


def test_what_is_not_there_is_said() -> None:
    assert "NOT kept from: files" in sandbox.Isolation(network=True, processes=True).told()
    assert "NOT" not in sandbox.Isolation(network=True, processes=True, files=True).told()
    assert sandbox.Isolation(**sandbox.Isolation(files=True).as_json()).files
