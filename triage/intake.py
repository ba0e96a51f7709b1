"""`models add`: a bundle from a folder, a file or an address into this site's own bundles folder.

In this order: fetch into a staging folder, compare the SHA-256, unpack there, look into every file, and only
then move it into the bundles folder and register it as a draft. What fails leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.http import HttpRequest

from foundation.accounts.models import User
from triage import registry
from triage.bundles import BundleRefused, fingerprint, read_bundle
from triage.models import ModelState, ModelVersion
from triage.vetting.archives import ArchiveRefused, unpack

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")
CHUNK = 1024 * 1024
UNPACKED_RATIO = 2
FETCH_SECONDS = 60.0
STAGING = ".incoming"


def add_bundle(
    *,
    source: str,
    sha256: str,
    by: User | None,
    reason: str,
    name: str = "",
    request: HttpRequest | None = None,
) -> ModelVersion:
    """Add a bundle as a draft.

    Args:
        source: a folder, a .zip or .tar.gz file, or an https:// or file:// address of one.
        sha256: of the archive; for a folder its combined fingerprint (`models fingerprint`).
        by: the PACS administrator who answers for it; None from the server's own command line.
        reason: why, on record.
        name: of the model; otherwise the bundle's folder's.
        request: for the audit trail.

    Raises:
        BundleRefused: another hash, not a bundle, not allowed, or registered with other files.
    """
    wanted = sha256.strip().lower()
    if not SHA256.fullmatch(wanted):
        raise BundleRefused("the SHA-256 must be 64 hexadecimal digits")
    with _staging() as folder:
        local = _local_path(source)
        if local is not None and local.is_dir():
            bundle = _copy_folder(local, folder, wanted, name)
        else:
            archive = folder / "archive"
            with _opened(source, local) as incoming:
                _take(incoming, archive)
            bundle = _unpacked(archive, folder, wanted, name or _stem(source))
        return _register(bundle, source=_without_password(source), by=by, reason=reason, request=request)


def add_upload(
    *,
    upload: IO[bytes],
    filename: str,
    sha256: str,
    by: User,
    reason: str,
    name: str = "",
    request: HttpRequest | None = None,
) -> ModelVersion:
    """Add a bundle from an archive that a browser sent; as `add_bundle` otherwise."""
    wanted = sha256.strip().lower()
    if not SHA256.fullmatch(wanted):
        raise BundleRefused("the SHA-256 must be 64 hexadecimal digits")
    with _staging() as folder:
        _take(upload, folder / "archive")
        bundle = _unpacked(folder / "archive", folder, wanted, name or _stem(filename))
        shown = f"upload: {Path(filename).name}"[:500]
        return _register(bundle, source=shown, by=by, reason=reason, request=request)


@contextmanager
def _staging() -> Iterator[Path]:
    root = Path(settings.ADDED_BUNDLES_DIR)
    (root / STAGING).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root / STAGING))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _local_path(source: str) -> Path | None:
    """The path that a source names, or None for an address elsewhere; raises BundleRefused."""
    parts = urllib.parse.urlsplit(source)
    if "://" not in source:
        return Path(source).expanduser()
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(urllib.request.url2pathname(parts.path))
    if parts.scheme != "https" or not parts.hostname:
        raise BundleRefused(f"{parts.scheme}:// is not taken: use https://, file:// or a path")
    return None


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise BundleRefused("the address leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _opened(source: str, local: Path | None) -> Iterator[IO[bytes]]:
    try:
        if local is not None:
            with local.open("rb") as file:
                yield file
        else:
            opener = urllib.request.build_opener(_OnlyHttps)
            with opener.open(source, timeout=FETCH_SECONDS) as answer:
                yield answer
    except FileNotFoundError as error:
        raise BundleRefused(f"{source} does not exist") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, PermissionError) as error:
        raise BundleRefused(f"{_without_password(source)} cannot be read: {error}") from error


def _take(incoming: IO[bytes], archive: Path) -> None:
    most = settings.MODEL_ARCHIVE_MAXIMUM_MB * 1024 * 1024
    with archive.open("xb") as out:
        while chunk := incoming.read(CHUNK):
            if out.tell() + len(chunk) > most:
                raise BundleRefused(
                    f"the archive is larger than {settings.MODEL_ARCHIVE_MAXIMUM_MB} MB "
                    "(FIRSTREAD_MODEL_MAX_MB)"
                )
            out.write(chunk)


def _unpacked(archive: Path, folder: Path, wanted: str, name: str) -> Path:
    """The bundle's folder in the staging folder. The hash is compared before anything is unpacked."""
    with archive.open("rb") as file:
        _require_hash(hashlib.file_digest(file, "sha256").hexdigest(), wanted, "archive")
    into = folder / "unpacked"
    into.mkdir()
    try:
        unpack(archive, into, most_bytes=UNPACKED_RATIO * settings.MODEL_ARCHIVE_MAXIMUM_MB * 1024 * 1024)
    except ArchiveRefused as error:
        raise BundleRefused(f"the archive is refused: {error}") from error
    archive.unlink()
    inside = list(into.iterdir())
    if not (into / "configs").is_dir() and len(inside) == 1 and inside[0].is_dir():
        return _named(inside[0], folder, inside[0].name if NAME.fullmatch(inside[0].name) else name)
    return _named(into, folder, name)


def _copy_folder(source: Path, folder: Path, wanted: str, name: str) -> Path:
    for file in source.rglob("*"):
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            raise BundleRefused(f"{file.relative_to(source)} is a link or no plain file")
    size = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    if size > UNPACKED_RATIO * settings.MODEL_ARCHIVE_MAXIMUM_MB * 1024 * 1024:
        raise BundleRefused(f"the folder holds {size >> 20} MB, more than is taken (FIRSTREAD_MODEL_MAX_MB)")
    bundle = folder / "copy"
    shutil.copytree(source, bundle, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    # Of the copy: what is registered is what was hashed.
    _require_hash(fingerprint(bundle).combined, wanted, "folder (see `models fingerprint`)")
    return _named(bundle, folder, name or source.resolve().name)


def _named(bundle: Path, folder: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise BundleRefused(f"{name[:64]!r} is no name for a model: small letters, digits, - and _ (--name)")
    target = folder / "named" / name
    target.parent.mkdir()
    return bundle.rename(target)


def _require_hash(found: str, wanted: str, what: str) -> None:
    if found != wanted:
        raise BundleRefused(
            f"the SHA-256 of the {what} is {found}, not {wanted}: nothing was unpacked or kept"
        )


def _register(
    bundle: Path, *, source: str, by: User | None, reason: str, request: HttpRequest | None
) -> ModelVersion:
    if by is not None:
        registry.require_administrator(by)
    if not reason.strip():
        raise BundleRefused("say why the bundle is added: the reason stands on record beside it")
    files = read_bundle(bundle)
    known = ModelVersion.objects.filter(name=files.name, version=files.version).first()
    if known is not None:
        if registry.pinned(known) != files.fingerprint:
            raise BundleRefused(
                f"{known} is registered with other files: raise the version in configs/metadata.json"
            )
        return known
    # One folder a version: two run side by side, and none is ever written over.
    home = Path(settings.ADDED_BUNDLES_DIR) / files.fingerprint.combined[:16]
    target = home / files.name
    home.mkdir(parents=True, exist_ok=True)
    if target.exists() and fingerprint(target) != files.fingerprint:
        shutil.rmtree(target)
    if not target.exists():
        bundle.rename(target)
    for file in target.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o444)
    try:
        return registry.register_bundle(
            path=target, state=ModelState.DRAFT, by=by, reason=reason, source=source, request=request
        )
    except Exception:
        if not ModelVersion.objects.filter(name=files.name, version=files.version).exists():
            shutil.rmtree(home, ignore_errors=True)
        raise


def _stem(source: str) -> str:
    name = os.path.basename(urllib.parse.urlsplit(source).path if "://" in source else source)  # noqa: PTH119
    return re.sub(r"\.(zip|tar\.gz|tgz)$", "", name.lower())


def _without_password(source: str) -> str:
    parts = urllib.parse.urlsplit(source)
    if "://" not in source:
        return str(Path(source).expanduser().resolve())
    host = parts.hostname or ""
    return urllib.parse.urlunsplit(
        (parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", "")
    )
