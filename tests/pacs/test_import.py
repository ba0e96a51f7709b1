"""`manage.py import`: files, folders, zips."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from pacs.models import Instance, QuarantinedObject
from tests.pacs.conftest import encoded, make_dataset, make_study

pytestmark = pytest.mark.django_db


def _import(*paths: Path) -> str:
    out = io.StringIO()
    call_command("import", *[str(path) for path in paths], stdout=out)
    return out.getvalue()


def _zip(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def test_a_folder_is_imported_with_its_zips_and_told_in_numbers(tmp_path: Path, archive: Path) -> None:
    folder = tmp_path / "cd"
    (folder / "deep").mkdir(parents=True)
    first, second, third = make_study(3)
    (folder / "deep" / "a").write_bytes(encoded(first))
    (folder / "b.dcm").write_bytes(encoded(first))
    (folder / "DICOMDIR").write_bytes(b"x")
    (folder / ".hidden").write_bytes(b"x")
    (folder / "readme.txt").write_bytes(b"hello")
    (folder / "broken.zip").write_bytes(_zip(tmp_path / "t.zip", {"x": b"y" * 100}).read_bytes()[:-4])
    _zip(folder / "more.zip", {"../../x.dcm": encoded(second), "y/z": encoded(third), "__MACOSX/q": b"x"})
    told = _import(folder)
    assert told.startswith("3 stored, 1 duplicate, 2 quarantined, 0 refused")
    assert Instance.objects.count() == 3
    assert (folder / "deep" / "a").is_file()
    assert list((archive / "incoming").iterdir()) == []
    assert not (tmp_path / "x.dcm").exists()


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        _import(tmp_path / "nothing")


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"x": encoded(make_dataset())})
    content = bytearray(path.read_bytes())
    for magic, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flag] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CommandError):
        _import(path)
    assert Instance.objects.count() == 0


def test_a_full_disk_ends_the_import_with_an_error(tmp_path: Path, settings: object) -> None:
    settings.MINIMUM_FREE_DISK_MB = 10**9  # type: ignore[attr-defined]
    path = tmp_path / "a.dcm"
    path.write_bytes(encoded(make_dataset()))
    with pytest.raises(CommandError):
        _import(path)
    assert QuarantinedObject.objects.count() == 0
