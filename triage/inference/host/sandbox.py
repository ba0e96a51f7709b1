"""Everything that a process gives up before it runs a model, and what of it this machine offers.

On Linux: no network, no other processes, a read-only view of the few files that a model needs, no
privileges, no core dump that could hold a patient's images. Elsewhere only the limits of POSIX hold, and
`Isolation` says so.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from triage.inference.host import landlock, seccomp

# Of the private folder of a worker's models, in the folder for temporary files.
FOLDER_PREFIX = "firstread-models-"
PROJECT = Path(__file__).resolve().parents[3]
# The only parts of the project that a model's process may read: its data folder lies beside them.
_CODE = ("triage", "pacs", "foundation")
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/cuda", "/opt/nvidia",
    "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
    "/sys/devices/system", "/sys/fs/cgroup", "/sys/module/nvidia", "/sys/bus/pci",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/driver/nvidia",
    "/proc/sys/vm", "/dev/urandom", "/dev/zero",
)  # fmt: skip
# What a process hands on to a model's process; everything else may be a password.
_ENVIRONMENT = (
    "PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "FIRSTREAD_TORCH_THREADS", "FIRSTREAD_DEVICE", "FIRSTREAD_RUNTIME",
)  # fmt: skip

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64
# Address space is counted, not memory in use: stacks of threads and arenas take some without using it.
_HEADROOM_MB = 1024
_LARGEST_FILE_MB = 1024


@dataclass(frozen=True)
class Confines:
    """What a model's process keeps.

    Attributes:
        readable: files and folders beside Python and the system's libraries.
        scratch: the one folder where it may write.
        memory_mb: of memory of its own.
    """

    readable: tuple[Path, ...]
    scratch: Path
    memory_mb: int


@dataclass(frozen=True)
class Isolation:
    """Which walls stand around a model's process on this machine."""

    network: bool = False
    processes: bool = False
    files: bool = False

    @property
    def whole(self) -> bool:
        """Do all walls stand?"""
        return self.network and self.processes and self.files

    def told(self) -> str:
        """In words, for the health page and the log."""
        parts = {"network": self.network, "other processes": self.processes, "files": self.files}
        closed = [name for name, is_closed in parts.items() if is_closed]
        open_ = [name for name, is_closed in parts.items() if not is_closed]
        if not open_:
            return "models have no network, start no processes and see only their own files, read-only"
        told = f"models are NOT kept from: {', '.join(open_)}"
        return f"{told}; kept from: {', '.join(closed)}" if closed else told

    def as_json(self) -> dict[str, bool]:
        """For a message; `Isolation(**it)` gives it back."""
        return asdict(self)


def offered() -> Isolation:
    """What this machine can do, without doing it."""
    calls = seccomp.known()
    return Isolation(network=calls, processes=calls, files=landlock.version() > 0)


def environment(scratch: Path, present: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a model's process: nothing of ours that could be a secret."""
    kept = {name: present[name] for name in _ENVIRONMENT if name in present}
    return {**kept, "HOME": str(scratch), "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel for this signal when the parent dies; 0 takes it back. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))


def confine(confines: Confines) -> Isolation:
    """Give up everything else, for ever. Call in a process with one thread.

    Raises:
        OSError: a wall that this machine offers did not rise.
    """
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE_MB << 20)
    if not _has_gpu():  # a driver maps far more than it uses; there the watch on memory in use must do
        _limit(resource.RLIMIT_DATA, (confines.memory_mb + _HEADROOM_MB) << 20)
    if sys.platform != "linux":
        return Isolation()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "privileges could still be gained")
    _drop_capabilities(libc)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    can = offered()
    if can.files:
        landlock.restrict(
            readable=[*_readable(), *confines.readable],
            writable=[confines.scratch],
            devices=[Path("/dev/null"), *Path("/dev").glob("nvidia*"), Path("/dev/nvidia-caps")],
        )
    if can.network:
        seccomp.install()
    return can


def _readable() -> Iterable[Path]:
    yield from (Path(p) for p in _SYSTEM)
    yield from (PROJECT / name for name in _CODE)
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield Path(sysconfig.get_path(name))
    for prefix in {sys.prefix, sys.base_prefix}:
        yield from (Path(prefix) / part for part in ("lib", "lib64", "pyvenv.cfg"))
    yield Path(f"/proc/{os.getpid()}")


def _has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root without capabilities is a user like others."""
    for capability in range(_MOST_CAPABILITIES):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to who has none to drop
    header, nothing = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(ctypes.byref(header), ctypes.byref(nothing)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities could not be dropped")
