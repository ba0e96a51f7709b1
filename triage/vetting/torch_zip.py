"""The zip archives that torch writes: stored, in one folder, read alike by every reader."""

from __future__ import annotations

import zipfile
from typing import IO

LOCAL_HEADER = b"PK\x03\x04"
MOST_ENTRIES = 100_000


def is_zip(file: IO[bytes]) -> bool:
    """True when the file begins as a zip archive does; the position is back at the start."""
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    return head == LOCAL_HEADER


def entries(file: IO[bytes]) -> tuple[list[str], dict[str, zipfile.ZipInfo]]:
    """Faults, and the entries by their name below the archive's one folder.

    An archive that a lenient reader could read otherwise than this one is refused: compressed, encrypted or
    doubled entries, other names in the local header than in the directory, an archive in the archive.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        return [f"is no readable zip archive ({error})"], {}
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        return [f"holds {len(infos)} entries, more than {MOST_ENTRIES}"], {}
    faults: list[str] = []
    found: dict[str, zipfile.ZipInfo] = {}
    roots = {info.filename.partition("/")[0] for info in infos}
    if len(roots) > 1:
        faults.append(f"holds {len(roots)} folders, not one")
    for info in infos:
        inside = info.filename.partition("/")[2]
        if fault := _fault(archive, info):
            faults.append(f"{info.filename[:80]!r}: {fault}")
        elif inside in found:
            faults.append(f"{inside[:80]!r}: stands twice")
        else:
            found[inside] = info
    return faults[:10], found


def _fault(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    parts = info.filename.split("/")
    if not info.filename.isprintable() or "\\" in info.filename or ".." in parts or len(parts) < 2:
        return "is no name that torch writes"
    if info.flag_bits & 0x1:
        return "is encrypted"
    # torch compresses the source of TorchScript and nothing else.
    deflated = info.compress_type == zipfile.ZIP_DEFLATED and parts[1] == "code"
    if info.compress_type != zipfile.ZIP_STORED and not deflated:
        return "is compressed, which torch does not do"
    try:
        # Raises when the local header tells another name than the directory.
        with archive.open(info) as entry:
            head = entry.read(6)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        return f"cannot be read ({error})"
    if head.startswith((LOCAL_HEADER, b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", b"\xfd7zXZ\x00")):
        return "is an archive in the archive"
    return ""
