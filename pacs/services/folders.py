"""Finding objects in files, folders and zip archives, without trusting the archives."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pacs import storage
from pacs.services.objects import IncomingInstance

LARGEST_ENTRY: Final = 4 * 1024**3  # bytes, of one object inside a zip
MOST_ENTRIES: Final = 200_000
LEAVE_OUT: Final = frozenset({"DICOMDIR", "Thumbs.db", "desktop.ini", "__MACOSX"})
CHUNK: Final = 1024 * 1024


class UnreadableArchive(Exception):
    """A zip archive cannot be read to its end; the message says why."""


def find(path: Path) -> Iterator[IncomingInstance]:
    """Every object under `path`: the file, the folder's files, the zip's entries, zips in folders too.

    Hidden files, DICOMDIR and what operating systems leave in folders are passed over. Files are left
    where they are; zip entries are unpacked one by one into `incoming/`, never to a name they choose.

    Raises:
        UnreadableArchive: a zip is broken, encrypted, or larger than its limits.
        FileNotFoundError: `path` does not exist.
    """
    if path.is_dir():
        for child in sorted(path.rglob("*")):
            if child.is_file() and not _left_out(child.relative_to(path)):
                yield from _find_in_folder(child)
    elif zipfile.is_zipfile(path) and not _is_part10(path):
        yield from unpack(path)
    else:
        path.stat()
        yield IncomingInstance(path=path, owned=False, name=path.name)


def _find_in_folder(child: Path) -> Iterator[IncomingInstance]:
    try:
        yield from find(child)
    except UnreadableArchive:
        # One broken archive does not end the folder: it is quarantined as a whole.
        yield IncomingInstance(path=child, owned=False, name=child.name)


def unpack(archive: Path) -> Iterator[IncomingInstance]:
    """The entries of a zip as owned files; what was unpacked stays the caller's even after an error.

    Raises:
        UnreadableArchive: broken, encrypted, or larger than its limits.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            entries = [entry for entry in content.infolist() if not entry.is_dir()]
            if len(entries) > MOST_ENTRIES:
                raise UnreadableArchive(f"It holds more than {MOST_ENTRIES} files.")
            for entry in entries:
                if not _left_out(Path(entry.filename)):
                    yield _extract(content, entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        # RuntimeError is zipfile's word for an encrypted entry.
        raise UnreadableArchive(f"The zip archive cannot be read ({type(error).__name__}).") from error


def _extract(content: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IncomingInstance:
    if entry.file_size > LARGEST_ENTRY:
        raise UnreadableArchive("A file in it is larger than 4 GiB.")
    storage.ensure_room()
    target = storage.new_incoming()
    try:
        with content.open(entry) as source, target.open("xb") as file:
            # zipfile stops at the size the entry declares: a bomb cannot write more than that.
            shutil.copyfileobj(source, file, CHUNK)
    except (OSError, RuntimeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        target.unlink(missing_ok=True)
        raise
    return IncomingInstance(path=target, name=entry.filename)


def _left_out(path: Path) -> bool:
    return any((part.startswith(".") and part != "..") or part in LEAVE_OUT for part in path.parts)


def _is_part10(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
