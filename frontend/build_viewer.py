"""Build the OHIF viewer that is served under /viewer/.

Takes the prebuilt ``@ohif/app`` from its npm tarball, checks the tarball's integrity hash, unpacks what the
browser needs, moves it from "/" to "/viewer/" and adds this project's configuration and bridge.
Standard library only: it runs before the project's own packages are installed.

    python frontend/build_viewer.py [--force] [--npm COMMAND...]
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

PACKAGE = "@ohif/app"
VERSION = "3.13.2"
INTEGRITY = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
BASE = "/viewer/"

FRONTEND = Path(__file__).resolve().parent
BUILD_FACTS = "firstread-build.json"

# Source maps (68 MB) and the ONNX runtime (136 MB) are for developers and for segmentation by click.
# The rest belongs to other hosting: OHIF's own sign-in, its service worker, its demo customizations.
LEFT_OUT_SUFFIXES = (".map",)
LEFT_OUT_TOP = frozenset(
    {
        "ort",
        "customizations",
        "_headers",
        "_redirects",
        "app-config.js",
        "es6-shim.min.js",
        "google.js",
        "init-service-worker.js",
        "oidc-client.min.js",
        "serve.json",
        "silent-refresh.html",
        "sw.js",
    }
)
COMPRESSED_SUFFIXES = frozenset({".js", ".css", ".wasm", ".json", ".svg"})
COMPRESS_FROM_BYTES = 1024


class ViewerBuildError(Exception):
    """The viewer cannot be built; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Replacement:
    """One textual change that must be found exactly as often as it was when it was written down."""

    name: str
    pattern: re.Pattern[str]
    new: str
    suffix: str
    files: int
    occurrences: int


# The SEG reader's ndarray library compiles its views from text; see viewer/ndarray-views.js.
COMPILED_VIEWS = Replacement(
    name="views compiled from text",
    pattern=re.compile(r"function compileConstructor\(dtype, dimension\) \{"),
    new="function compileConstructor(dtype, dimension) { return (%s)(dtype, dimension);",
    suffix=".js",
    files=3,
    occurrences=3,
)

REPLACEMENTS = (
    Replacement(
        name="public path of the bundles",
        pattern=re.compile(r'__webpack_require__\.p = "/"'),
        new=f'__webpack_require__.p = "{BASE}"',
        suffix=".js",
        files=8,
        occurrences=8,
    ),
    Replacement(
        name="address of the microscopy viewer",
        pattern=re.compile(r"browserImportFunction\('/dicom-microscopy-viewer/"),
        new=f"browserImportFunction('{BASE}dicom-microscopy-viewer/",
        suffix=".js",
        files=1,
        occurrences=1,
    ),
    # It would unregister every service worker of the origin, the host application's too.
    Replacement(
        name="service worker removal",
        pattern=re.compile(
            r'<script rel="preload" as="script" type="module" src="/init-service-worker\.js"></script>'
        ),
        new="",
        suffix=".html",
        files=1,
        occurrences=1,
    ),
    Replacement(
        name="addresses in index.html",
        pattern=re.compile(r'="/'),
        new=f'="{BASE}',
        suffix=".html",
        files=1,
        occurrences=34,
    ),
    Replacement(
        name="font addresses in the style sheet",
        pattern=re.compile(r"url\(/"),
        new=f"url({BASE}",
        suffix=".css",
        files=1,
        occurrences=5,
    ),
)


def verify_integrity(tarball: Path, integrity: str = INTEGRITY) -> None:
    """Raise ViewerBuildError unless the file has the Subresource Integrity hash ``integrity``."""
    algorithm, _, expected = integrity.partition("-")
    digest = hashlib.new(algorithm)
    with tarball.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    found = base64.b64encode(digest.digest()).decode("ascii")
    if found != expected:
        raise ViewerBuildError(
            f"{tarball} is not {PACKAGE} {VERSION}: its {algorithm} is {found}, expected {expected}. "
            "Delete it and build again."
        )


def fetch_tarball(cache: Path, npm: list[str] | None, integrity: str = INTEGRITY) -> Path:
    """Return the verified tarball, from the cache folder or else through ``npm pack``."""
    target = cache / f"ohif-app-{VERSION}.tgz"
    if target.exists():
        verify_integrity(target, integrity)
        return target
    command = npm or ([found] if (found := shutil.which("npm")) else None)
    if command is None:
        raise ViewerBuildError(
            f"npm is needed once to fetch {PACKAGE}@{VERSION}; there is none on PATH. "
            "Install Node.js, or give the command: --npm node /path/to/npm-cli.js."
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        outcome = subprocess.run(
            [*command, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", folder, "--silent"],
            capture_output=True,
            text=True,
            check=False,
        )
        packed = list(Path(folder).glob("*.tgz"))
        if outcome.returncode != 0 or len(packed) != 1:
            raise ViewerBuildError(
                f"npm could not fetch {PACKAGE}@{VERSION} (exit {outcome.returncode}): "
                f"{outcome.stderr.strip()[-500:] or 'no message'}"
            )
        verify_integrity(packed[0], integrity)
        packed[0].replace(target)
    return target


def is_wanted(relative: PurePosixPath) -> bool:
    """Whether a file of the package's dist folder is served."""
    return relative.parts[0] not in LEFT_OUT_TOP and not relative.name.endswith(LEFT_OUT_SUFFIXES)


def unpack(tarball: Path, into: Path) -> int:
    """Write the wanted files of ``package/dist`` below ``into``; return how many there were.

    A member that would leave the folder, or is neither a plain file nor a folder, ends the build.
    """
    count = 0
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or "\\" in member.name or not path.parts:
                raise ViewerBuildError(f"{tarball} holds a path outside its folder: {member.name!r}")
            if member.isdir():
                continue
            if not member.isreg():
                raise ViewerBuildError(f"{tarball} holds something that is not a plain file: {member.name!r}")
            if path.parts[:2] != ("package", "dist") or len(path.parts) < 3:
                if path.parts == ("package", "LICENSE"):
                    _write(archive, member, into / "LICENSE")
                continue
            relative = PurePosixPath(*path.parts[2:])
            if is_wanted(relative):
                _write(archive, member, into.joinpath(*relative.parts))
                count += 1
    return count


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = archive.extractfile(member)
    if source is None:
        raise ViewerBuildError(f"{member.name!r} cannot be read from the archive")
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)


def rebase(dist: Path, replacements: Iterable[Replacement]) -> None:
    """Apply the replacements to the unpacked files; raise when a count differs from the one written down."""
    texts: dict[Path, str] = {}
    changed: set[Path] = set()
    for replacement in replacements:
        files = occurrences = 0
        for path in sorted(dist.glob(f"*{replacement.suffix}")):
            if path not in texts:
                texts[path] = path.read_text(encoding="utf-8")
            texts[path], found = replacement.pattern.subn(lambda _, new=replacement.new: new, texts[path])
            if found:
                files += 1
                occurrences += found
                changed.add(path)
        if (files, occurrences) != (replacement.files, replacement.occurrences):
            raise ViewerBuildError(
                f"{replacement.name}: found {occurrences} in {files} files, expected "
                f"{replacement.occurrences} in {replacement.files}. {PACKAGE} is not the version this "
                "script was written for; check every replacement by hand before changing the counts."
            )
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")


def evalless_views(sources: Path) -> Replacement:
    """The replacement that takes ``new Function`` out of the page's own code."""
    source = (sources / "ndarray-views.js").read_text(encoding="utf-8")
    _, separator, function = source.partition("export default ")
    if not separator:
        raise ViewerBuildError("viewer/ndarray-views.js has no default export")
    return replace(COMPILED_VIEWS, new=COMPILED_VIEWS.new % function.strip())


def find_decode_worker(dist: Path) -> str:
    """Name of the worker that decodes images: the one file that may need ``'unsafe-eval'``.

    Its codecs are compiled with embind, which makes functions from text (JPEG 2000 at least). The main
    bundle holds the same words and never runs them, so the worker is told apart by its entry name.
    """
    workers = [
        path.name
        for path in sorted(dist.glob("[0-9]*.bundle.*.js"))
        if "new Function(" in (text := path.read_text(encoding="utf-8"))
        and f'__webpack_require__.p = "{BASE}"' in text
    ]
    if len(workers) != 1:
        raise ViewerBuildError(f"expected one image decoding worker in {PACKAGE}, found {workers}")
    return workers[0]


def add_own_files(sources: Path, dist: Path) -> None:
    """Copy the configuration and the bridge beside the application."""
    shutil.copyfile(sources / "app-config.js", dist / "app-config.js")
    shutil.copytree(sources / "firstread", dist / "firstread")


def compress(dist: Path) -> None:
    """Write a ``.gz`` beside every text-like file that is large enough to gain from it."""
    for path in sorted(dist.rglob("*")):
        if path.suffix not in COMPRESSED_SUFFIXES or not path.is_file():
            continue
        if path.stat().st_size >= COMPRESS_FROM_BYTES:
            packed = gzip.compress(path.read_bytes(), compresslevel=5, mtime=0)
            path.with_name(path.name + ".gz").write_bytes(packed)


def build_key(sources: Path, integrity: str = INTEGRITY) -> str:
    """Hash of everything the build result depends on."""
    digest = hashlib.sha256(integrity.encode())
    for path in [Path(__file__), *_own_files(sources)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _own_files(sources: Path) -> list[Path]:
    plain = [sources / "app-config.js", sources / "ndarray-views.js"]
    return [*plain, *sorted(p for p in (sources / "firstread").rglob("*") if p.is_file())]


def is_current(target: Path, key: str) -> bool:
    """Whether ``target`` holds a finished build with this key."""
    facts = target / BUILD_FACTS
    if not facts.is_file() or not (target / "index.html").is_file():
        return False
    try:
        return bool(json.loads(facts.read_text(encoding="utf-8"))["key"] == key)
    except (ValueError, KeyError, TypeError):
        return False


def build(
    *,
    target: Path,
    cache: Path,
    sources: Path,
    npm: list[str] | None = None,
    force: bool = False,
    integrity: str = INTEGRITY,
    replacements: Iterable[Replacement] | None = None,
) -> bool:
    """Bring ``target`` up to date; return whether there was anything to do.

    The new build is made beside the old one and takes its place by a rename, so that a build that fails
    or is interrupted leaves the old one in use.
    """
    key = build_key(sources, integrity)
    if not force and is_current(target, key):
        return False
    tarball = fetch_tarball(cache, npm, integrity)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        fresh = Path(folder) / "dist"
        fresh.mkdir()
        unpack(tarball, fresh)
        rebase(fresh, [*REPLACEMENTS, evalless_views(sources)] if replacements is None else replacements)
        add_own_files(sources, fresh)
        facts = {"key": key, "version": VERSION, "decode_worker": find_decode_worker(fresh)}
        compress(fresh)
        (fresh / BUILD_FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            target.rename(Path(folder) / "old")
        fresh.rename(target)
    return True


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the OHIF viewer served under /viewer/.")
    parser.add_argument(
        "--npm",
        nargs=argparse.REMAINDER,
        help="command that runs npm, all that follows, e.g. --npm node /path/npm-cli.js (default: on PATH)",
    )
    parser.add_argument("--force", action="store_true", help="build although nothing has changed")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        done = build(
            target=FRONTEND / "ohif-dist",
            cache=FRONTEND / ".cache",
            sources=FRONTEND / "viewer",
            npm=options.npm or None,
            force=options.force,
        )
    except ViewerBuildError as error:
        print(f"viewer: {error}", file=sys.stderr)
        return 1
    state = f"built OHIF {VERSION}" if done else f"OHIF {VERSION} is up to date"
    print(f"viewer: {state} ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
