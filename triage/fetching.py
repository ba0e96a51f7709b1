"""`models fetch`: weights that are not in the repository, by hash from where their authors publish them.

A bundle below `models/` names such files in its large_files.yml (MONAI's form: path, url, hash_type, hash_val).
They are got into a staging folder beside the bundle's configuration, compared by SHA-256, and then the whole goes
the way of every other bundle that is added (triage/intake.py): it becomes a draft.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import yaml
from django.conf import settings

from foundation.accounts.models import User
from triage import intake
from triage.bundles import BundleRefused, fingerprint
from triage.models import ModelState, ModelVersion

LIST = "large_files.yml"
SECONDS = 60.0
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class LargeFile:
    """A file that belongs to a bundle: where in it, where from, and its SHA-256."""

    path: PurePosixPath
    url: str
    sha256: str


def fetch_bundle(
    *, name: str, folder: Path | None = None, by: User | None = None, reason: str = "Fetched by its hash"
) -> ModelVersion:
    """Complete a bundle that came with the release with its weights and add it as a draft.

    Args:
        name: of a folder in the bundles folder.
        folder: take the files from here instead of the network, by the end of their address, of their path, or any
            file with the right hash.
        by: the PACS administrator who answers for it; None from the server's own command line.
        reason: why, on record.

    Raises:
        BundleRefused: no such bundle, nothing to fetch, not reachable, or another hash; nothing is kept then.
    """
    home = Path(settings.BUNDLES_DIR) / name
    if PurePosixPath(name).name != name or not (home / LIST).is_file():
        raise BundleRefused(f"{name[:64]} has no {LIST}: nothing to fetch. Add a bundle by `models add`")
    wanted = [file for file in large_files(home) if file.url]
    if not wanted:
        raise BundleRefused(f"{name} came whole with the release: nothing to fetch")
    with tempfile.TemporaryDirectory() as staging:
        bundle = Path(staging) / name
        shutil.copytree(home, bundle, ignore=shutil.ignore_patterns("__pycache__", "*.pt", "*.ts", "*.onnx"))
        for file in wanted:
            target = bundle / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            _get(file, target, folder)
        mark = fingerprint(bundle).combined
        model = intake.add_bundle(source=str(bundle), sha256=mark, name=name, by=by, reason=reason)
    # The staging folder is gone: what is told is where the weights come from.
    ModelVersion.objects.filter(pk=model.pk, state=ModelState.DRAFT).update(source=wanted[0].url[:500])
    model.refresh_from_db()
    return model


def large_files(bundle: Path) -> list[LargeFile]:
    """What a bundle's large_files.yml names; raises BundleRefused where that is not in its form."""
    try:
        content = yaml.safe_load((bundle / LIST).read_text(encoding="utf-8"))
        found = [
            LargeFile(PurePosixPath(one["path"]), str(one.get("url", "")), str(one["hash_val"]).lower())
            for one in content["large_files"]
            if one.get("hash_type") == "sha256"
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BundleRefused(f"{bundle.name}/{LIST} is not in MONAI's form: {error}") from error
    for file in found:
        if file.path.is_absolute() or ".." in file.path.parts or len(file.sha256) != 64:
            raise BundleRefused(
                f"{bundle.name}/{LIST}: {file.path} lies outside the bundle or has no SHA-256"
            )
    return found


def _get(file: LargeFile, target: Path, folder: Path | None) -> None:
    if folder is not None:
        shutil.copyfile(_in_folder(file, folder), target)
    else:
        _download(file.url, target)
    with target.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        raise BundleRefused(
            f"{file.path}: SHA-256 {found}, not {file.sha256} as {LIST} says: nothing was kept"
        )


def _in_folder(file: LargeFile, folder: Path) -> Path:
    if not folder.is_dir():
        raise BundleRefused(f"{folder} is no folder")
    for name in (PurePosixPath(urllib.parse.urlsplit(file.url).path).name, file.path.name):
        if (folder / name).is_file():
            return folder / name
    raise BundleRefused(
        f"{folder} holds no {PurePosixPath(file.url).name}: put the file from {file.url} there"
    )


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise BundleRefused("the address leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(url: str, target: Path) -> None:
    if urllib.parse.urlsplit(url).scheme != "https":
        raise BundleRefused(f"{url} is not https")
    try:
        with (
            urllib.request.build_opener(_OnlyHttps).open(url, timeout=SECONDS) as answer,
            target.open("wb") as out,
        ):
            _copy(answer, out)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise BundleRefused(
            f"{url} cannot be read ({error}). Without a way there, get the file elsewhere and use --from FOLDER"
        ) from error


def _copy(incoming: IO[bytes], out: IO[bytes]) -> None:
    most = settings.MODEL_ARCHIVE_MAXIMUM_MB * 1024 * 1024
    while chunk := incoming.read(CHUNK):
        if out.tell() + len(chunk) > most:
            raise BundleRefused(
                f"the file is larger than {settings.MODEL_ARCHIVE_MAXIMUM_MB} MB (FIRSTREAD_MODEL_MAX_MB)"
            )
        out.write(chunk)
