"""Media types: what a client accepts (RFC 9110 12.5.1, PS3.18 8.7.5), read tolerantly.

A malformed range is skipped, never an error: viewers in the field join ranges in ways no grammar knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from pydicom import uid

from foundation.problems import Problem

DICOM_JSON: Final = "application/dicom+json"
DICOM: Final = "application/dicom"
OCTET_STREAM: Final = "application/octet-stream"
MULTIPART: Final = "multipart/related"
ANY: Final = "*/*"

_SPLIT_RANGES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
_SPLIT_PARAMETERS = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_LONGEST_HEADER = 4096

# Bit streams of a stored frame by transfer syntax (PS3.18 table 8.7.3-5).
_STREAMS: Final = {
    uid.RLELossless: "image/dicom-rle",
    uid.JPEGBaseline8Bit: "image/jpeg",
    uid.JPEGExtended12Bit: "image/jpeg",
    uid.JPEGLossless: "image/jpeg",
    uid.JPEGLosslessSV1: "image/jpeg",
    uid.JPEGLSLossless: "image/jls",
    uid.JPEGLSNearLossless: "image/jls",
    uid.JPEG2000Lossless: "image/jp2",
    uid.JPEG2000: "image/jp2",
    uid.JPEG2000MCLossless: "image/jpx",
    uid.JPEG2000MC: "image/jpx",
    uid.HTJ2KLossless: "image/jphc",
    uid.HTJ2KLosslessRPCL: "image/jphc",
    uid.HTJ2K: "image/jphc",
    uid.MPEG2MPML: "video/mpeg",
    uid.MPEG2MPHL: "video/mpeg",
    uid.MPEG4HP41: "video/mp4",
    uid.MPEG4HP41BD: "video/mp4",
    uid.MPEG4HP422D: "video/mp4",
    uid.MPEG4HP423D: "video/mp4",
    uid.MPEG4HP42STEREO: "video/mp4",
    uid.HEVCMP51: "video/H265",
    uid.HEVCM10P51: "video/H265",
}


@dataclass(frozen=True)
class MediaRange:
    """One range of an Accept header.

    Attributes:
        kind: lower case, e.g. `multipart/related`.
        parameters: lower-case names; values unquoted.
        quality: 0 to 1.
    """

    kind: str
    parameters: dict[str, str]
    quality: float = 1.0

    @property
    def multipart(self) -> bool:
        """True for multipart/related."""
        return self.kind == MULTIPART

    @property
    def content(self) -> str:
        """Media type of the content: of the parts for multipart, where named."""
        return self.parameters.get("type", ANY).lower() if self.multipart else self.kind

    @property
    def transfer_syntax(self) -> str:
        """The transfer syntax asked for: a UID, `*`, or empty."""
        return self.parameters.get("transfer-syntax", "")


def accepted(request: HttpRequest) -> list[MediaRange]:
    """Ranges the client takes, best first; `*/*` where it says nothing (PS3.18 8.3.3.1 `accept=` wins)."""
    ranges = parse(request.GET.get("accept") or request.headers.get("Accept", ""))
    return ranges or [MediaRange(ANY, {})]


def parse(header: str) -> list[MediaRange]:
    """Ranges of an Accept header by quality; refused ones (q=0) and malformed ones are left out."""
    found: list[MediaRange] = []
    for text in _SPLIT_RANGES.split(header[:_LONGEST_HEADER]):
        kind, *rest = (piece.strip() for piece in _SPLIT_PARAMETERS.split(text))
        if "/" not in kind:
            continue
        parameters: dict[str, str] = {}
        for piece in rest:
            name, _, value = piece.partition("=")
            parameters[name.strip().lower()] = value.strip().strip('"')
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if quality > 0:
            found.append(MediaRange(kind.lower(), parameters, quality))
    return sorted(found, key=lambda item: -item.quality)


def require_json(request: HttpRequest) -> None:
    """DICOM JSON is the only form of metadata here; refuse those alone who want nothing but XML."""
    if all("xml" in f"{item.kind} {item.content}" for item in accepted(request)):
        raise Problem(
            406, "Not acceptable", f"Metadata comes as {DICOM_JSON} only. Send `Accept: {DICOM_JSON}`."
        )


def frame_type(transfer_syntax_uid: str) -> str:
    """Media type of a frame as stored in a transfer syntax."""
    return _STREAMS.get(uid.UID(transfer_syntax_uid), OCTET_STREAM)
