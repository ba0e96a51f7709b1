"""Where the archive's bytes lie, and how they get there durably.

Three folders under `settings.ARCHIVE_DIR`, all on one file system:

- `incoming/`   files being written; worthless to anybody but their writer.
- `objects/`    instances, `objects/<day>/<hour and minute>/<random>.dcm`; a file here is whole and synced.
- `quarantine/` what could not be filed, in the same layout.

A key is made from the clock and from random bits, never from anything a sender chose. The day in it lets
reconciliation look at what is young without walking the whole archive.
"""

from __future__ import annotations

import builtins
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.utils import timezone

from pacs.models import Instance, QuarantinedObject

OBJECTS = "objects"
QUARANTINE = "quarantine"
INCOMING = "incoming"
KEY = re.compile(r"(objects|quarantine)/\d{8}/\d{4}/[0-9a-f]{32}\.(dcm|bin)")


class StorageFull(Exception):
    """Less than settings.MINIMUM_FREE_DISK_MB is free: nothing is taken until there is room again."""


def root() -> Path:
    """The archive's folder."""
    return Path(settings.ARCHIVE_DIR)


def new_incoming() -> Path:
    """A path for a new file in `incoming/`, which exists afterwards; the file does not."""
    folder = root() / INCOMING
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{secrets.token_hex(16)}.part"


def new_key(kind: str, now: datetime | None = None) -> str:
    """A fresh storage key in `objects` or `quarantine`."""
    moment = now or timezone.now()
    suffix = "dcm" if kind == OBJECTS else "bin"
    return f"{kind}/{moment:%Y%m%d}/{moment:%H%M}/{secrets.token_hex(16)}.{suffix}"


def path_of_key(key: str) -> Path:
    """The file of a storage key; raises ValueError for anything that new_key did not make."""
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no storage key")
    return root() / key


def path_of(instance: Instance | QuarantinedObject) -> Path:
    """The file of an instance (Part 10) or of a quarantined object (as it came)."""
    return path_of_key(instance.storage_key)


def open(instance: Instance | QuarantinedObject) -> BinaryIO:
    """Open an instance's file for reading; the caller closes it."""
    return builtins.open(path_of(instance), "rb")  # noqa: PTH123


def ensure_room() -> None:
    """Raise StorageFull when the archive's file system has less room than the site wants to keep free."""
    folder = root()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < settings.MINIMUM_FREE_DISK_MB * 1024 * 1024:
        raise StorageFull(
            f"{free // (1024 * 1024)} MB are free, {settings.MINIMUM_FREE_DISK_MB} MB must stay free."
        )


def sync_file(path: Path) -> None:
    """Flush a file's bytes to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def settle(moves: Iterable[tuple[Path, str]]) -> None:
    """Rename synced files from `incoming/` to their keys, and sync every folder concerned.

    After it returns the names survive a power cut. Files must have been synced before.
    """
    folders: set[Path] = set()
    for source, key in moves:
        target = path_of_key(key)
        folders |= _made(target.parent)
        source.rename(target)
        folders.add(target.parent)
    for folder in sorted(folders):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _made(folder: Path) -> set[Path]:
    """Make `folder`; returns the parents that got a new entry and must be synced."""
    parents: set[Path] = set()
    missing = folder
    while not missing.is_dir():
        missing = missing.parent
        parents.add(missing)
    folder.mkdir(parents=True, exist_ok=True)
    return parents
