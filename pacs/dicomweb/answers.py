"""What goes back: DICOM JSON, single parts and multipart/related, with headers for private caches.

Small bodies are sent as bytes. Large ones are sent by an asynchronous iterator: under ASGI Django would
read a synchronous one to its end before the first byte leaves.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.http import StreamingHttpResponse as Streaming
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

from pacs.dicomweb.media import DICOM_JSON

CHUNK: Final = 1024 * 1024
WHOLE: Final = 8 * 1024 * 1024  # bytes; larger answers are streamed
IMMUTABLE: Final = "private, max-age=86400, immutable"
REVALIDATE: Final = "private, no-cache"
NEVER: Final = "no-store"
R = TypeVar("R", bound=HttpResponseBase)


@dataclass(frozen=True)
class Part:
    """One part of an answer. Exactly one of `data`, `path` and `make` is set.

    Attributes:
        content_type: with its parameters.
        size: bytes of the body; None when only `make` can tell.
        make: makes the body when its turn comes; runs in a thread.
    """

    content_type: str
    size: int | None = None
    data: bytes | None = None
    path: Path | None = None
    make: Callable[[], bytes] | None = None

    def read(self) -> bytes:
        """The whole body."""
        if self.data is not None:
            return self.data
        if self.path is not None:
            return self.path.read_bytes()
        assert self.make is not None
        return self.make()


def dicom_json(content: Any, *, status: int = 200, cache: str = NEVER) -> HttpResponse:
    """A DICOM JSON document (PS3.18 F)."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return raw_json(body, status=status, cache=cache)


def raw_json(body: bytes, *, status: int = 200, cache: str = NEVER) -> HttpResponse:
    """DICOM JSON that is encoded already."""
    response = HttpResponse(body, content_type=DICOM_JSON, status=status)
    return keep_private(response, cache)


def streamed_json(chunks: AsyncIterator[bytes], *, cache: str = NEVER) -> Streaming:
    """DICOM JSON in pieces."""
    return keep_private(Streaming(chunks, content_type=DICOM_JSON), cache)


def single(part: Part, *, cache: str = IMMUTABLE) -> HttpResponseBase:
    """One body without multipart around it."""
    if part.path is not None and (part.size or 0) > WHOLE:
        response: HttpResponseBase = Streaming(_file(part.path), content_type=part.content_type)
        response["Content-Length"] = str(part.size)
    else:
        response = HttpResponse(part.read(), content_type=part.content_type)
    return keep_private(response, cache)


def multipart(parts: Sequence[Part], *, kind: str, cache: str = IMMUTABLE) -> HttpResponseBase:
    """multipart/related (RFC 2387) of parts whose media type is `kind`."""
    boundary = secrets.token_hex(16)
    heads = [f"--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode() for part in parts]
    tail = f"--{boundary}--\r\n".encode()
    content_type = f'multipart/related; type="{kind}"; boundary="{boundary}"'
    sizes = [part.size if part.data is None else len(part.data) for part in parts]
    total = None
    if None not in sizes:
        total = sum(size or 0 for size in sizes) + sum(len(head) + 2 for head in heads) + len(tail)
    if total is not None and total <= WHOLE:
        pieces: list[bytes] = []
        for head, part in zip(heads, parts, strict=True):
            pieces += (head, part.read(), b"\r\n")
        return keep_private(HttpResponse(b"".join((*pieces, tail)), content_type=content_type), cache)
    response = Streaming(_parts(heads, parts, tail), content_type=content_type)
    if total is not None:
        response["Content-Length"] = str(total)
    return keep_private(response, cache)


def keep_private(response: R, cache: str) -> R:
    """Only the caller's own browser may keep it, and only for the same sign-in."""
    response["Cache-Control"] = cache
    response["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, ["Accept", "Authorization", "Cookie"])
    return response


def unchanged(request: HttpRequest, etag: str, cache: str) -> HttpResponse | None:
    """304 when the client holds what `etag` names (quotes included)."""
    if etag not in parse_etags(request.headers.get("If-None-Match", "")):
        return None
    response = HttpResponseNotModified()
    response["ETag"] = etag
    return keep_private(response, cache)


async def _file(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


async def _parts(heads: list[bytes], parts: Sequence[Part], tail: bytes) -> AsyncIterator[bytes]:
    for head, part in zip(heads, parts, strict=True):
        if part.path is not None and (part.size or 0) > WHOLE:
            yield head
            async for chunk in _file(part.path):
                yield chunk
            yield b"\r\n"
        else:
            yield b"".join((head, await asyncio.to_thread(part.read), b"\r\n"))
    yield tail
