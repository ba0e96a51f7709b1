"""From uploaded files to objects for the write path: DICOM files as they are, zip archives unpacked.

Names inside an archive are shown to the sender and never become paths. An archive that promises or turns
out to hold far more than it weighs is refused.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile

from pacs import storage
from pacs.services import IncomingInstance

MOST_ENTRIES: Final = 50_000
LARGEST_DIRECTORY: Final = 32 * 1024 * 1024  # bytes of a zip's central directory
LARGEST_RATIO: Final = 100  # unpacked to packed; images compress two to five times
FREE_OF_RATIO: Final = 64 * 1024 * 1024  # bytes that any archive may hold
CHUNK: Final = 1024 * 1024
LONGEST_NAME: Final = 200
ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
# What operating systems and disc burners leave in folders.
LITTER: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini", "dicomdir"})
ZIP_ERRORS: Final = (
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class Refused(Exception):
    """The file is not taken; the message says why and what to do."""


@dataclass
class Unpacking:
    """Iterate once; afterwards the counts are true.

    Attributes:
        received: files looked at.
        ignored: files that belong to no instance and are no mistake.
        refused: (name, reason) of files that go nowhere.
    """

    uploads: Iterable[UploadedFile]
    received: int = 0
    ignored: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[IncomingInstance]:
        for upload in self.uploads:
            name = (upload.name or "file")[:LONGEST_NAME]
            try:
                yield from self._unpacked(upload, name)
            except Refused as error:
                self.refused.append((name, str(error)))

    def _unpacked(self, upload: UploadedFile, name: str) -> Iterator[IncomingInstance]:
        head = upload.read(132)
        upload.seek(0)
        if head[128:] != b"DICM" and head[:4] in ZIP_MAGIC:
            yield from self._of_zip(upload, name)
            return
        if self._passed_over(name, head):
            return
        self.received += 1
        _require_dicom(head)
        if isinstance(upload, TemporaryUploadedFile):
            yield IncomingInstance(path=Path(upload.temporary_file_path()), owned=False, name=name)
        else:
            yield IncomingInstance(data=upload.read(), name=name)

    def _passed_over(self, name: str, head: bytes) -> bool:
        base = PurePosixPath(name).name.lower()
        if head and base not in LITTER and not base.startswith("._") and "__MACOSX/" not in name:
            return False
        self.ignored += 1
        return True

    def _of_zip(self, upload: UploadedFile, name: str) -> Iterator[IncomingInstance]:
        size = upload.size or 0
        try:
            _check_directory(upload)
            archive = zipfile.ZipFile(upload)
        except ZIP_ERRORS as error:
            raise Refused(f"The zip archive cannot be read ({type(error).__name__}).") from error
        with archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MOST_ENTRIES:
                raise Refused(f"The zip archive holds more than {MOST_ENTRIES} files. Send it in parts.")
            budget = FREE_OF_RATIO + LARGEST_RATIO * size
            for entry in entries:
                shown = f"{name}/{entry.filename}"[-LONGEST_NAME:]
                try:
                    item, used = self._entry(archive, entry, shown, budget)
                except Refused as error:
                    self.received += 1
                    self.refused.append((shown, str(error)))
                    continue
                budget -= used
                if item is not None:
                    self.received += 1
                    yield item

    def _entry(
        self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, budget: int
    ) -> tuple[IncomingInstance | None, int]:
        """The entry in a file of `incoming/`, and its size in bytes."""
        if entry.flag_bits & 1:
            raise Refused("It is encrypted. Send it without a password.")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Refused("It is packed by a method that is not taken. Use plain zip (deflate).")
        path: Path | None = None
        try:
            with archive.open(entry) as packed:
                head = packed.read(132)
                if head[128:] != b"DICM" and head[:4] in ZIP_MAGIC:
                    raise Refused("It is a zip archive inside another. Unpack it and send it by itself.")
                if self._passed_over(entry.filename, head):
                    return None, len(head)
                _require_dicom(head)
                path = storage.new_incoming()
                size = len(head)
                with path.open("xb") as file:
                    file.write(head)
                    while chunk := packed.read(CHUNK):
                        size += len(chunk)
                        if size > budget:
                            raise Refused(
                                "The zip archive unpacks to far more than it weighs. It is refused."
                            )
                        file.write(chunk)
        except BaseException as error:
            if path is not None:
                path.unlink(missing_ok=True)
            if isinstance(error, ZIP_ERRORS):
                raise Refused(f"It cannot be unpacked ({type(error).__name__}).") from error
            raise
        return IncomingInstance(path=path, name=name), size


def _require_dicom(head: bytes) -> None:
    if head[128:] != b"DICM":
        raise Refused("It is no DICOM file (no DICM prefix at byte 128).")


def _check_directory(file: IO[bytes] | UploadedFile) -> None:
    """Refuse a central directory too large to hold in memory, before zipfile reads it."""
    record = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if record is None:
        raise Refused("The zip archive is cut off or damaged.")
    if record[zipfile._ECD_SIZE] > LARGEST_DIRECTORY:  # type: ignore[attr-defined]
        raise Refused(f"The zip archive holds more than {MOST_ENTRIES} files. Send it in parts.")
