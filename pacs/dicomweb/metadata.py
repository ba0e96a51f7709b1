"""WADO-RS metadata (PS3.18 10.4.1.1.2): every attribute but bulk data, which is named by an address.

The archive keeps each instance's DICOM JSON as text; here it is put together, not parsed, unless it has
bulk data inside whose addresses must be filled in.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponseBase
from pydicom.uid import UID

from foundation.accounts.models import User
from pacs.dicomweb import answers, media
from pacs.dicomweb.access import (
    READERS,
    endpoint,
    instance_of,
    instances_of,
    missing,
    record_study_read,
    series_of,
    study_of,
)
from pacs.models import Instance, Study

WHOLE: Final = 1000  # instances; more are streamed
BATCH: Final = 200
_PLACEHOLDER: Final = b'"BulkDataURI":""'
_FIELDS: Final = (
    "series__series_instance_uid",
    "sop_instance_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "rows",
    "metadata",
)


@endpoint(*READERS)
def study(request: HttpRequest, user: User, study_uid: str) -> HttpResponseBase:
    """`/studies/{study}/metadata`."""
    found = study_of(user, study_uid)
    return _metadata(request, found, instances_of(user, found))


@endpoint(*READERS)
def series(request: HttpRequest, user: User, study_uid: str, series_uid: str) -> HttpResponseBase:
    """`/studies/{study}/series/{series}/metadata`."""
    found = series_of(user, study_uid, series_uid)
    return _metadata(request, found.study, Instance.objects.filter(series=found))


@endpoint(*READERS)
def instance(
    request: HttpRequest, user: User, study_uid: str, series_uid: str, instance_uid: str
) -> HttpResponseBase:
    """`…/instances/{instance}/metadata`."""
    found = instance_of(user, study_uid, series_uid, instance_uid)
    return _metadata(request, found.series.study, Instance.objects.filter(pk=found.pk))


def _metadata(request: HttpRequest, of: Study, rows: QuerySet[Instance]) -> HttpResponseBase:
    media.require_json(request)
    record_study_read(request, of, "metadata")
    root = request.build_absolute_uri(f"/dicom-web/studies/{of.study_instance_uid}")
    ordered = rows.order_by(
        F("series__series_number").asc(nulls_last=True),
        "series_id",
        F("instance_number").asc(nulls_last=True),
        "pk",
    )
    first = list(ordered.values_list(*_FIELDS)[: WHOLE + 1])
    if not first:
        raise missing("set of instances")
    if len(first) <= WHOLE:
        body = b"[" + b",".join(_documents(first, root)) + b"]"
        return answers.raw_json(body, cache=answers.REVALIDATE)
    keys = list(ordered.values_list("pk", flat=True))
    return answers.streamed_json(_streamed(keys, root), cache=answers.REVALIDATE)


async def _streamed(keys: Sequence[int], root: str) -> AsyncIterator[bytes]:
    for start in range(0, len(keys), BATCH):
        documents = await sync_to_async(_batch)(keys[start : start + BATCH], root)
        yield (b"," if start else b"[") + documents
    yield b"]"


def _batch(keys: Sequence[int], root: str) -> bytes:
    rows = Instance.objects.filter(pk__in=keys).values_list("pk", *_FIELDS)
    by_key: dict[int, Sequence[Any]] = {row[0]: row[1:] for row in rows}
    return b",".join(_documents((by_key[key] for key in keys if key in by_key), root))


def _documents(rows: Iterable[Sequence[Any]], root: str) -> Iterator[bytes]:
    for series_uid, instance_uid, sop_class, syntax, height, packed in rows:
        content = zlib.decompress(bytes(packed))
        address = f"{root}/series/{series_uid}/instances/{instance_uid}/bulkdata"
        if _PLACEHOLDER in content:
            content = _with_addresses(content, address)
        if has_pixels(sop_class, height, content):
            vr = "OB" if UID(syntax).is_encapsulated else "OW"
            pixels = f'"7FE00010":{{"vr":"{vr}","BulkDataURI":"{address}/7FE00010"}}}}'.encode()
            content = content[:-1] + (b"," if len(content) > 2 else b"") + pixels
        yield content


def has_pixels(sop_class_uid: str, rows: int | None, content: bytes) -> bool:
    """An image has Rows (PS3.3 C.7.6.3); its pixels are in it unless it names another place for them."""
    return rows is not None and b'"00287FE0"' not in content


def _with_addresses(content: bytes, address: str) -> bytes:
    document = json.loads(content)
    _fill(document, address)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _fill(document: dict[str, Any], address: str) -> None:
    for tag, attribute in document.items():
        if attribute.get("BulkDataURI") == "":
            attribute["BulkDataURI"] = f"{address}/{tag}"
        elif attribute.get("vr") == "SQ":
            for number, item in enumerate(attribute.get("Value", ())):
                _fill(item, f"{address}/{tag}/{number}")
