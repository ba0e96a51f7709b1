"""Unpack an archive that a stranger may have made: sizes, names and kinds are judged while it is read.

Nothing that an archive says of itself is trusted: bytes are counted as they come out.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

MOST_FILES = 2_000
MOST_FOLDERS_DEEP = 8
LONGEST_PATH = 240
# Weights shrink by a tenth, JSON by ten; a bomb by a thousand.
LARGEST_RATIO = 100
FREE_OF_RATIO = 64 * 1024 * 1024
LARGEST_DIRECTORY_BYTES = 32 * 1024 * 1024
CHUNK = 1024 * 1024
# What operating systems leave in archives; never part of a bundle.
LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_BROKEN = (
    EOFError, NotImplementedError, OSError, RuntimeError, UnicodeError, ValueError, lzma.LZMAError,
    tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class ArchiveRefused(Exception):
    """The archive is not unpacked; the message says which entry and why."""


@dataclass
class _Budget:
    """What is still allowed to come out."""

    left: int
    files: int = 0
    seen: set[str] = field(default_factory=set)


def unpack(archive: Path, into: Path, *, most_bytes: int) -> None:
    """Unpack a .zip or .tar.gz into an empty folder; on refusal some of it may lie there.

    Args:
        archive: told by its content, not by its name.
        into: an existing, empty folder.
        most_bytes: of everything unpacked.

    Raises:
        ArchiveRefused: not such an archive, a name that leaves the folder, a link or device, an encrypted or
            doubled entry, too many files, too many bytes, or far more bytes than the archive has.
    """
    packed = archive.stat().st_size
    budget = _Budget(min(most_bytes, FREE_OF_RATIO + LARGEST_RATIO * packed))
    with archive.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head == b"PK\x03\x04":
            with _readable():
                _unpack_zip(file, into, budget)
        elif head.startswith(b"\x1f\x8b"):
            with _readable():
                _unpack_tar(file, into, budget)
        else:
            raise ArchiveRefused("it is neither a .zip nor a .tar.gz archive")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ArchiveRefused(f"it cannot be read ({type(error).__name__}: {error})") from error


def _unpack_zip(file: IO[bytes], into: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(file) as archive:
        if len(archive.infolist()) > 2 * MOST_FILES:
            raise ArchiveRefused(f"it holds more than {MOST_FILES} files")
        for info in archive.infolist():
            kind = (info.external_attr >> 16) & 0o170000
            if info.is_dir():
                _place(info.filename, into)
            elif kind not in (0, 0o100000):
                raise ArchiveRefused(f"{_shown(info.filename)} is a link or device")
            elif info.flag_bits & 0x1:
                raise ArchiveRefused(f"{_shown(info.filename)} is encrypted")
            else:
                with archive.open(info) as entry:
                    _write(entry, info.filename, into, budget)


def _unpack_tar(file: IO[bytes], into: Path, budget: _Budget) -> None:
    # As a stream: a header that points elsewhere is never followed.
    with tarfile.open(fileobj=file, mode="r|gz") as archive:
        for member in archive:
            if member.isdir():
                _place(member.name, into)
                continue
            if not member.isreg():
                raise ArchiveRefused(f"{_shown(member.name)} is a link or device")
            if member.sparse is not None:
                raise ArchiveRefused(f"{_shown(member.name)} is a sparse file")
            entry = archive.extractfile(member)
            assert entry is not None
            _write(entry, member.name, into, budget)


def _write(entry: IO[bytes], name: str, into: Path, budget: _Budget) -> None:
    target = _place(name, into)
    if _is_litter(name):
        return
    budget.files += 1
    if budget.files > MOST_FILES:
        raise ArchiveRefused(f"it holds more than {MOST_FILES} files")
    # One name in two spellings would be one file on some disks.
    if target.as_posix().casefold() in budget.seen:
        raise ArchiveRefused(f"{_shown(name)} stands twice")
    budget.seen.add(target.as_posix().casefold())
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        while chunk := entry.read(CHUNK):
            budget.left -= len(chunk)
            if budget.left < 0:
                raise ArchiveRefused(f"{_shown(name)}: it unpacks to far more than it may")
            out.write(chunk)


def _place(name: str, into: Path) -> Path:
    """Where an entry goes; raises ArchiveRefused for a name that is not plainly below the folder."""
    path = PurePosixPath(name)
    plain = (
        name
        and name.isprintable()
        and "\\" not in name
        and ":" not in name
        and not path.is_absolute()
        and ".." not in path.parts
        and len(name) <= LONGEST_PATH
        and len(path.parts) <= MOST_FOLDERS_DEEP
    )
    if not plain:
        raise ArchiveRefused(f"{_shown(name)} is no name of a file below the bundle's folder")
    return into.joinpath(*path.parts)


def _is_litter(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name.lower() in LITTER or path.name.startswith("._") or "__MACOSX" in path.parts


def _shown(name: str) -> str:
    return repr(name[:80])
