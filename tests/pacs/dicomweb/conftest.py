"""Ways to ask the archive over DICOMweb, and real objects to ask for."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from foundation.audit import services as audit
from pacs.models import Instance

JSON = "application/dicom+json"
FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*"


def body_of(response: Any) -> bytes:
    """The whole body, streamed or not."""
    if response.streaming and response.is_async:

        async def gather() -> bytes:
            return b"".join([chunk async for chunk in response])

        return async_to_sync(gather)()
    return response.getvalue()


def parts_of(response: Any) -> list[tuple[str, bytes]]:
    """(content type, body) of each part of a multipart/related answer, split at its boundary by hand."""
    found = re.search(r'boundary="?([^";]+)"?', response["Content-Type"])
    assert found and response["Content-Type"].startswith("multipart/related")
    delimiter = b"--" + found[1].encode()
    body = body_of(response)
    assert body.endswith(delimiter + b"--\r\n")
    parts = []
    for chunk in body.split(delimiter + b"\r\n")[1:]:
        head, _, rest = chunk.partition(b"\r\n\r\n")
        rest = rest.removesuffix(delimiter + b"--\r\n").removesuffix(b"\r\n")
        kind = re.fullmatch(rb"Content-Type: ([^\r\n]+)", head)
        assert kind, head
        parts.append((kind[1].decode(), rest))
    return parts


def stow_body(*objects: bytes, boundary: str = "XXboundaryXX") -> tuple[bytes, str]:
    """Body and content type of a STOW request."""
    body = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), data)
        for data in objects
    )
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return body + b"--%s--\r\n" % boundary.encode(), kind


def pydicom_file(name: str) -> bytes:
    """A file of pydicom's test set, with the UIDs that some of them lack."""
    path = get_testdata_file(name)
    assert path is not None
    dataset = dcmread(path)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not dataset.get(keyword):
            setattr(dataset, keyword, generate_uid())
    if not dataset.get("SOPClassUID"):
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def address(instance: Instance, rest: str = "") -> str:
    """The instance's address under /dicom-web/."""
    series = instance.series
    return (
        f"/dicom-web/studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}"
        f"/instances/{instance.sop_instance_uid}{rest}"
    )


@pytest.fixture(autouse=True)
def _nothing_read_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of a minute are one event: no test may stand in another's minute."""
    monkeypatch.setattr(audit, "_recent", audit._Recent())


@pytest.fixture
def ask(client: Client, token_headers: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """ask(path below /dicom-web or absolute, accept=…, role=…) -> response, with a token."""
    known: dict[str, dict[str, str]] = {}

    def go(path: str, accept: str = "", role: str = "radiologist", **parameters: str) -> Any:
        if role not in known:
            known[role] = token_headers(role)
        headers = known[role]
        full = path if path.startswith("/dicom-web") else f"/dicom-web{path}"
        extra = {"HTTP_ACCEPT": accept} if accept else {}
        return client.get(full, parameters or None, **headers, **extra)

    return go


@pytest.fixture
def stored(store: Callable[..., list], db: None) -> Callable[..., list[Instance]]:
    """stored(datasets or bytes …) -> rows, all of them filed."""

    def go(*objects: Dataset | bytes) -> list[Instance]:
        results = store(*objects)
        assert [r.outcome for r in results] == ["stored"] * len(results), results
        rows = Instance.objects.select_related("series__study__patient")
        return [rows.get(sop_instance_uid=result.sop_instance_uid) for result in results]

    return go


@pytest.fixture
def real_ct(shared_data: Path) -> list[bytes]:
    """The real head CT, 28 files."""
    return [path.read_bytes() for path in sorted((shared_data / "head_ct_ge").glob("*.dcm"))]
