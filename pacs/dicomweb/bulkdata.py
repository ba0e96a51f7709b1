"""WADO-RS bulk data (PS3.18 10.4.1.1.5): the values that metadata only names.

An address below an instance is a tag, or a sequence's tag, an item number from 0, and so on:
`/bulkdata/7FE00010`, `/bulkdata/54000100/0/54001010`.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from pydicom import dcmread
from pydicom.dataset import Dataset

from foundation.accounts.models import User
from foundation.problems import Problem
from pacs import storage
from pacs.dicomweb import answers, media, pixels
from pacs.dicomweb.access import READERS, endpoint, instance_of, missing, record_study_read
from pacs.services.header import PARSE_ERRORS

PIXEL_DATA: Final = "7FE00010"


@endpoint(*READERS)
def bulkdata(
    request: HttpRequest, user: User, study_uid: str, series_uid: str, instance_uid: str, path: str
) -> HttpResponseBase:
    """`…/instances/{instance}/bulkdata/{path}`."""
    found = instance_of(user, study_uid, series_uid, instance_uid)
    record_study_read(request, found.series.study, "images")
    etag = f'"{found.sha256}-b{path.upper()}"'
    if answer := answers.unchanged(request, etag, answers.IMMUTABLE):
        return answer
    wanted = _range(request)
    file = storage.path_of(found)
    if path.upper() == PIXEL_DATA:
        response = _pixel_data(file, found.number_of_frames, wanted)
    else:
        data = _value(file, path)
        kind = (
            wanted.content if wanted.content.startswith(("application/pdf", "video/")) else media.OCTET_STREAM
        )
        part = answers.Part(kind, data=data)
        response = answers.multipart([part], kind=kind) if wanted.multipart else answers.single(part)
    response["ETag"] = etag
    return response


def _pixel_data(file: Path, number_of_frames: int, wanted: media.MediaRange) -> HttpResponseBase:
    """Native pixels as one value; compressed ones frame by frame (PS3.18 8.7.3.2)."""
    try:
        layout = pixels.layout_of(file)
    except pixels.NoPixels:
        raise missing("value") from None
    except pixels.Unsplittable:
        raise Problem(406, "Not available", "Retrieve the whole instance instead.") from None
    syntax = layout.transfer_syntax_uid
    kind = media.frame_type(syntax)
    content_type = f"{kind}; transfer-syntax={syntax}"
    if not layout.encapsulated:
        start, length = layout.value
        part = answers.Part(content_type, data=_slice(file, start, length))
        return answers.multipart([part], kind=kind) if wanted.multipart else answers.single(part)
    if not wanted.multipart and len(layout.frames) == 1:
        return answers.single(answers.Part(content_type, data=pixels.read_frame(file, layout, 0)))
    parts = [
        answers.Part(content_type, make=partial(pixels.read_frame, file, layout, index))
        for index in range(len(layout.frames))
    ]
    return answers.multipart(parts, kind=kind)


def _slice(file: Path, start: int, length: int) -> bytes:
    with file.open("rb") as handle:
        handle.seek(start)
        return handle.read(length)


def _value(file: Path, path: str) -> bytes:
    tags = path.split("/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset: Dataset = dcmread(file, stop_before_pixels=True)
            for tag, number in zip(tags[:-1:2], tags[1::2], strict=True):
                dataset = dataset[int(tag, 16)].value[int(number)]
            value = dataset[int(tags[-1], 16)].value
        except PARSE_ERRORS:
            raise missing("value") from None
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise missing("value")


def _range(request: HttpRequest) -> media.MediaRange:
    return media.accepted(request)[0]
