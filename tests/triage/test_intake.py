"""What comes from outside is hashed, judged and only then kept; what is refused leaves nothing behind."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from foundation.accounts.models import User
from tests.triage.making import make_bright_bundle
from triage import intake, registry
from triage.bundles import BundleRefused, fingerprint
from triage.models import ModelVersion
from triage.vetting import archives
from triage.vetting.archives import ArchiveRefused, unpack

pytestmark = pytest.mark.django_db


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def zipped(bundle: Path, target: Path, *, below: str = "bright/") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(bundle.rglob("*")):
            if file.is_file():
                archive.write(file, below + file.relative_to(bundle).as_posix())
    return target


def tarred(bundle: Path, target: Path) -> Path:
    with tarfile.open(target, "w:gz") as archive:
        archive.add(bundle, arcname=bundle.name)
    return target


def add(source: object, mark: str, **more: Any) -> ModelVersion:
    return intake.add_bundle(source=str(source), sha256=mark, by=None, reason="Test", **more)


def kept(settings: Any) -> list[Path]:
    folder = Path(settings.ADDED_BUNDLES_DIR)
    return [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []


@pytest.fixture
def bundle(tmp_path: Path, bundles: Path) -> Path:
    """A bundle outside the house."""
    return make_bright_bundle(tmp_path / "outside")


@pytest.mark.parametrize("form", ["folder", "zip", "flat zip", "tar.gz", "file address"])
def test_a_bundle_in_any_form_becomes_a_draft_in_the_sites_own_folder(
    bundle: Path, tmp_path: Path, settings: Any, form: str
) -> None:
    source: object
    if form == "folder":
        source, mark = bundle, fingerprint(bundle).combined
    else:
        archive = tmp_path / ("bright.tar.gz" if form == "tar.gz" else "bright.zip")
        if form == "tar.gz":
            tarred(bundle, archive)
        else:
            zipped(bundle, archive, below="" if form == "flat zip" else "bright/")
        source, mark = (archive.as_uri() if form == "file address" else archive), sha256(archive)
    model = add(source, mark)
    folder = registry.folder_of(model)
    assert (model.name, model.version, model.state) == ("bright", "1.0", "draft")
    assert folder.is_relative_to(settings.ADDED_BUNDLES_DIR) and registry.pinned(model) == fingerprint(folder)
    assert not (folder / "models" / "model.pt").stat().st_mode & stat.S_IWUSR
    assert list((Path(settings.ADDED_BUNDLES_DIR) / ".incoming").iterdir()) == []
    assert model.decisions.get().action == "registered" and model.source
    assert add(source, mark) == model


def test_two_versions_lie_side_by_side(bundle: Path, tmp_path: Path) -> None:
    first = add(bundle, fingerprint(bundle).combined)
    newer = make_bright_bundle(tmp_path / "newer", version="1.1", above_hu=1400)
    second = add(newer, fingerprint(newer).combined)
    assert registry.folder_of(first) != registry.folder_of(second)
    for model in (first, second):
        assert fingerprint(registry.folder_of(model)) == registry.pinned(model)
    changed = make_bright_bundle(tmp_path / "changed", version="1.1", above_hu=1300)
    with pytest.raises(BundleRefused, match="raise the version"):
        add(changed, fingerprint(changed).combined)
    assert fingerprint(registry.folder_of(second)) == registry.pinned(second)


def test_another_hash_is_refused_before_anything_is_unpacked(
    bundle: Path, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "unpack", lambda *_a, **_k: pytest.fail("unpacked"))
    archive = zipped(bundle, tmp_path / "bright.zip")
    for source in (archive, bundle):
        with pytest.raises(BundleRefused, match="nothing was unpacked or kept"):
            add(source, "0" * 64)
    with pytest.raises(BundleRefused, match="64 hexadecimal digits"):
        add(archive, "abc")
    assert kept(settings) == [] and not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("http://example.org/b.zip", "http:// is not taken"),
        ("ftp://example.org/b.zip", "ftp:// is not taken"),
        ("file://elsewhere/b.zip", "file:// is not taken"),
        ("https://", "https:// is not taken"),
        ("/nowhere/b.zip", "does not exist"),
    ],
)
def test_other_addresses_are_refused(bundles: Path, source: str, words: str) -> None:
    with pytest.raises(BundleRefused, match=words):
        add(source, "0" * 64)


def test_a_redirect_away_from_https_is_refused(bundles: Path) -> None:
    class Redirects(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.example/b.zip")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Redirects)
    threading.Thread(target=server.handle_request, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/b.zip"
    with pytest.raises(BundleRefused, match="away from https"), intake._opened(address, None):
        pass
    server.server_close()


def test_a_larger_archive_than_the_site_takes_is_refused(bundle: Path, tmp_path: Path, settings: Any) -> None:
    settings.MODEL_ARCHIVE_MAXIMUM_MB = 0
    archive = zipped(bundle, tmp_path / "bright.zip")
    with pytest.raises(BundleRefused, match="larger than 0 MB"):
        add(archive, sha256(archive))
    with pytest.raises(BundleRefused, match="more than is taken"):
        add(bundle, fingerprint(bundle).combined)


def test_links_in_a_folder_are_refused_and_not_followed(bundle: Path, settings: Any) -> None:
    mark = fingerprint(bundle).combined
    (bundle / "docs").symlink_to("/etc")
    with pytest.raises(BundleRefused, match="docs is a link"):
        add(bundle, mark)
    assert kept(settings) == []


def test_a_bundle_that_the_static_check_refuses_is_not_kept(
    bundle: Path, tmp_path: Path, settings: Any
) -> None:
    (bundle / "run.py").write_text("")
    archive = zipped(bundle, tmp_path / "bright.zip")
    with pytest.raises(BundleRefused, match=r"run\.py is code"):
        add(archive, sha256(archive))
    assert kept(settings) == [] and not ModelVersion.objects.exists()


def test_a_name_must_be_plain_and_can_be_chosen(bundle: Path, tmp_path: Path) -> None:
    archive = zipped(bundle, tmp_path / "Bright One.zip", below="")
    with pytest.raises(BundleRefused, match="no name for a model"):
        add(archive, sha256(archive))
    assert add(archive, sha256(archive), name="chosen").name == "chosen"


def test_only_administrators_add(bundle: Path, make_user: Callable[..., User], settings: Any) -> None:
    with pytest.raises(registry.NotPermitted):
        intake.add_bundle(
            source=str(bundle), sha256=fingerprint(bundle).combined, by=make_user("radiologist"), reason="x"
        )
    assert kept(settings) == []


# Archives that a stranger may make


def refused(tmp_path: Path, content: bytes) -> str:
    archive, into = tmp_path / "a", tmp_path / "into"
    archive.write_bytes(content)
    into.mkdir()
    with pytest.raises(ArchiveRefused) as caught:
        unpack(archive, into, most_bytes=1 << 30)
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(into) and p != archive]
    assert outside == []
    return str(caught.value)


NAMES = ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "a\\..\\evil", "a\nb", "x/" * 9 + "y", "a" * 300]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str, form: str) -> None:
    out = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, b"x")
    else:
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    assert "no name of a file" in refused(tmp_path, out.getvalue())


def test_links_and_devices_in_archives_are_refused(tmp_path: Path) -> None:
    for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            member = tarfile.TarInfo("models")
            member.type, member.linkname = kind, "/etc"
            tar.addfile(member)
        (tmp_path / str(number)).mkdir()
        assert "link or device" in refused(tmp_path / str(number), out.getvalue())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("models")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
    (tmp_path / "zip").mkdir()
    assert "link or device" in refused(tmp_path / "zip", out.getvalue())


def test_bombs_are_refused_whatever_they_say_of_themselves(tmp_path: Path) -> None:
    zeros = bytes(80 * 1024 * 1024)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("models/model.pt", zeros)
    (tmp_path / "zip").mkdir()
    assert "far more than it may" in refused(tmp_path / "zip", out.getvalue())
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        member = tarfile.TarInfo("models/model.pt")
        member.size = len(zeros)
        tar.addfile(member, io.BytesIO(zeros))
    (tmp_path / "tar").mkdir()
    assert "far more than it may" in refused(tmp_path / "tar", gzip.compress(inner.getvalue()))


def test_too_many_doubled_encrypted_and_broken_entries_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def zip_of(*names: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")
        return out.getvalue()

    encrypted = bytearray(zip_of("a"))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    for name, content, words in (
        ("many", zip_of("a", "b", "c", "d"), "more than 3 files"),
        ("more", zip_of(*map(str, range(9))), "more than 3 files"),
        ("twice", zip_of("configs/A.json", "configs/a.json"), "stands twice"),
        ("encrypted", bytes(encrypted), "encrypted"),
        ("cut", zip_of("a", "b")[:40], "cannot be read"),
        ("rar", b"Rar!\x1a\x07", "neither"),
        ("empty", b"", "neither"),
        ("gzip of nothing", gzip.compress(b"no tar at all" * 100), "cannot be read"),
    ):
        (tmp_path / name).mkdir()
        assert words in refused(tmp_path / name, content)
