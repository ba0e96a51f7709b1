"""A view of the file system that is read-only but for one folder (Linux 5.13 or newer, Landlock).

Landlock needs no privileges and works inside containers. What no rule names cannot be opened, listed, made
or removed; files that are open already stay open. From version 4 of its interface it also closes TCP, from
version 6 signals and abstract sockets to processes outside.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

# The same on all architectures that Landlock knows.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_TELL_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FIRST_RIGHTS = (1 << 13) - 1
_TCP_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def version() -> int:
    """Version of the kernel's Landlock interface; 0 where there is none or it is switched off."""
    if sys.platform != "linux":
        return 0
    found = int(ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _TELL_VERSION))
    return max(0, found)


def restrict(*, readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path] = ()) -> None:
    """Close the file system for this thread for ever; call after `no new privileges`, before other threads.

    Args:
        readable: files and folders, with all below them, that stay readable; nothing there can be started.
        writable: folders where files may be made, changed and removed.
        devices: device files that stay open to reading, writing and control.

    What does not exist is left out.

    Raises:
        OSError: the kernel does not take it.
    """
    abi = version()
    if abi == 0:
        raise OSError("this kernel has no Landlock")
    handled = _FIRST_RIGHTS
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEVICE)):
        if abi >= since:
            handled |= right
    ruleset = _Ruleset(handled, _TCP_BIND_AND_CONNECT if abi >= 4 else 0, 0)
    size = 8 if abi < 4 else 16
    if abi >= 6:
        ruleset.scoped, size = _ABSTRACT_SOCKETS_AND_SIGNALS, 24
    handle = _call(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    try:
        for path in readable:
            _allow(handle, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(handle, path, handled & ~(_EXECUTE | _IOCTL_DEVICE))
        for path in devices:
            _allow(handle, path, handled & (_READ_FILE | _WRITE_FILE | _IOCTL_DEVICE))
        _call(_RESTRICT_SELF, handle, 0)
    finally:
        os.close(handle)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        below = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return
    try:
        if not path.is_dir():
            rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
        rule = _PathBeneath(rights, below)
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(below)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
