"""STOW-RS (PS3.18 10.5): store instances sent as multipart/related; type="application/dicom".

Each part goes straight to a file on the archive's own file system and from there through the one write
path. A part is answered as stored only when that says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from pydicom import dcmread

from foundation.accounts.models import User
from foundation.problems import Problem
from pacs import storage
from pacs.dicomweb import answers, media
from pacs.dicomweb.access import SENDERS, endpoint
from pacs.dicomweb.parts import Malformed, PartReader, read_parts
from pacs.dicomweb.results import element
from pacs.services import IncomingInstance, Outcome, Source, StoreResult, statuses, store_instances
from pacs.services.header import PARSE_ERRORS

LABEL: Final = "stow"


@endpoint(*SENDERS)
def store(request: HttpRequest, user: User, study_uid: str = "") -> HttpResponse:
    """`POST /studies` and `POST /studies/{study}`; 200 all stored, 202 some, 409 none (table 10.5.3-1)."""
    boundary = _boundary(request)
    _require_room()
    incoming = _Incoming(request, boundary, study_uid)
    source = Source(label=LABEL, channel="dicomweb", peer=str(request.META.get("REMOTE_ADDR", "")), user=user)
    results = store_instances(iter(incoming), source=source) + incoming.refused
    if not results:
        raise Problem(400, "Nothing to store", incoming.fault or "The body holds no part.")
    stored = [result for result in results if result.outcome in {Outcome.STORED, Outcome.DUPLICATE}]
    status = 200 if len(stored) == len(results) and not incoming.fault else (202 if stored else 409)
    root = request.build_absolute_uri("/dicom-web")
    return answers.dicom_json(response_content(results, incoming.fault, root), status=status)


def response_content(results: list[StoreResult], fault: str, root: str) -> dict[str, Any]:
    """The Store Instances Response (PS3.18 I.2)."""
    failed = [
        _failed(result) for result in results if result.outcome in {Outcome.QUARANTINED, Outcome.REFUSED}
    ]
    if fault:
        failed.append(
            {"00081197": element("US", [statuses.CANNOT_UNDERSTAND]), "00000902": element("LO", [fault])}
        )
    stored = [
        _stored(result, root) for result in results if result.outcome in {Outcome.STORED, Outcome.DUPLICATE}
    ]
    studies = {result.study_instance_uid for result in results if result.study_instance_uid}
    content: dict[str, Any] = {}
    if len(studies) == 1 and stored:
        content["00081190"] = element("UR", [f"{root}/studies/{next(iter(studies))}"])
    if failed:
        content["00081198"] = element("SQ", failed)
    if stored:
        content["00081199"] = element("SQ", stored)
    return content


def _stored(result: StoreResult, root: str) -> dict[str, Any]:
    address = f"{root}/studies/{result.study_instance_uid}"
    if result.series_instance_uid:
        address += f"/series/{result.series_instance_uid}/instances/{result.sop_instance_uid}"
    return {
        "00081150": element("UI", [result.sop_class_uid]),
        "00081155": element("UI", [result.sop_instance_uid]),
        "00081190": element("UR", [address]),
    }


def _failed(result: StoreResult) -> dict[str, Any]:
    return {
        "00000902": element("LO", [result.detail[:64]] if result.detail else []),
        "00081150": element("UI", [result.sop_class_uid] if result.sop_class_uid else []),
        "00081155": element("UI", [result.sop_instance_uid] if result.sop_instance_uid else []),
        "00081197": element("US", [result.dimse_status]),
    }


def _boundary(request: HttpRequest) -> str:
    ranges = media.parse(request.headers.get("Content-Type", ""))
    sent = ranges[0] if ranges else None
    if sent is None or not sent.multipart or sent.content not in {media.ANY, media.DICOM}:
        raise Problem(
            415, "Unsupported media type", f'Send `{media.MULTIPART}; type="{media.DICOM}"; boundary=…`.'
        )
    return sent.parameters.get("boundary", "")


def _require_room() -> None:
    try:
        storage.ensure_room()
    except storage.StorageFull as error:
        raise Problem(507, "The archive is full", str(error)) from error


@dataclass
class _Incoming:
    """Objects of a request as they come. Iterate once.

    Attributes:
        refused: parts that were no instances of this request's study.
        fault: why the rest of the body could not be read, or empty.
    """

    request: HttpRequest
    boundary: str
    study_uid: str
    refused: list[StoreResult] = field(default_factory=list)
    fault: str = ""

    def __iter__(self) -> Iterator[IncomingInstance]:
        try:
            for part in read_parts(self.request.read, self.boundary):
                item = self._taken(part)
                if item is not None:
                    yield item
        except Malformed as error:
            self.fault = str(error)

    def _taken(self, part: PartReader) -> IncomingInstance | None:
        kinds = media.parse(part.headers.get("content-type", ""))
        if kinds and kinds[0].kind not in {media.DICOM, media.OCTET_STREAM}:
            self._refuse(statuses.CANNOT_UNDERSTAND, f"A part of type {kinds[0].kind[:40]} is not taken.")
            return None
        path = storage.new_incoming()
        try:
            _write(path, part)
            if self.study_uid and not self._belongs(path):
                path.unlink(missing_ok=True)
                return None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return IncomingInstance(path=path)

    def _belongs(self, path: Path) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tags = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"]
                dataset = dcmread(path, stop_before_pixels=True, specific_tags=tags)
            except PARSE_ERRORS:
                return True  # not readable: the write path says what is wrong
        if str(dataset.get("StudyInstanceUID", "")) == self.study_uid:
            return True
        self._refuse(
            statuses.DATA_SET_DOES_NOT_MATCH,
            "It is of another study than the address names.",
            str(dataset.get("SOPClassUID", "")),
            str(dataset.get("SOPInstanceUID", "")),
        )
        return False

    def _refuse(self, status: int, detail: str, sop_class: str = "", instance: str = "") -> None:
        self.refused.append(
            StoreResult(
                outcome=Outcome.REFUSED,
                dimse_status=status,
                sop_class_uid=sop_class,
                sop_instance_uid=instance,
                detail=detail,
            )
        )


def _write(path: Path, part: PartReader) -> None:
    with path.open("xb") as file:
        for chunk in part.chunks:
            file.write(chunk)  # not synced: the write path makes its own synced copy
