"""Which file of the viewer's build answers an address, and how it may be kept.

Pure over the file system: no request, no settings.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from worklist.viewer import policy

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}

# A content hash in the name: 89.bundle.b327bf3664812958.js, 0ddf166f7a343eda.wasm
HASHED = re.compile(r"(^|\.)[0-9a-f]{16}\.[a-z0-9]+$")
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

_SEGMENT = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
_BUILD_FACTS = "firstread-build.json"


@dataclass(frozen=True)
class ViewerFile:
    """One file of the build, ready to be sent."""

    path: Path
    content_type: str
    cache_control: str
    etag: str
    compressed: Path | None
    content_security_policy: str

    def read(self, *, gzip: bool) -> bytes:
        """The bytes to send: the compressed form when asked for and there is one."""
        return (self.compressed if gzip and self.compressed else self.path).read_bytes()


def find(dist: Path, name: str) -> ViewerFile | None:
    """The build's file at ``name`` (relative, with "/"), or None.

    Only plain names are looked up and only known types are sent, so that no address leaves the folder.
    """
    if not all(_SEGMENT.match(segment) for segment in name.split("/")):
        return None
    path = dist.joinpath(*name.split("/"))
    content_type = CONTENT_TYPES.get(path.suffix)
    if content_type is None or name == _BUILD_FACTS or not path.is_file():
        return None
    if not path.resolve().is_relative_to(dist.resolve()):
        return None
    facts = path.stat()
    tag = hashlib.sha256(f"{name} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:20]
    compressed = path.with_name(path.name + ".gz")
    decodes = name == decode_worker(dist)
    return ViewerFile(
        path=path,
        content_type=content_type,
        cache_control=FOREVER if HASHED.search(path.name) else REVALIDATE,
        etag=f'"{tag}"',
        compressed=compressed if compressed.is_file() else None,
        content_security_policy=policy.DECODE_WORKER if decodes else policy.FILE,
    )


def index(dist: Path) -> str | None:
    """The application's page as built, or None when there is no build."""
    page = dist / "index.html"
    return page.read_text(encoding="utf-8") if page.is_file() else None


def decode_worker(dist: Path) -> str | None:
    """Name of the worker file that decodes images, as the build found it."""
    facts = dist / _BUILD_FACTS
    if not facts.is_file():
        return None
    return str(json.loads(facts.read_text(encoding="utf-8"))["decode_worker"])
