"""WADO-RS (PS3.18 10.4): instances, frames, and bulk data, as stored unless the client needs otherwise."""

from __future__ import annotations

from functools import partial
from typing import Final

from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponseBase
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from foundation.accounts.models import User
from foundation.problems import Problem
from pacs import storage
from pacs.dicomweb import answers, media, pixels, transcoding
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
from pacs.models import Instance

EXPLICIT: Final = str(ExplicitVRLittleEndian)
_FRAMES_AT_ONCE: Final = 1000


@endpoint(*READERS)
def study(request: HttpRequest, user: User, study_uid: str) -> HttpResponseBase:
    """`/studies/{study}`: every instance."""
    found = study_of(user, study_uid)
    record_study_read(request, found, "images")
    return _instances(request, instances_of(user, found))


@endpoint(*READERS)
def series(request: HttpRequest, user: User, study_uid: str, series_uid: str) -> HttpResponseBase:
    """`/studies/{study}/series/{series}`: every instance of it."""
    found = series_of(user, study_uid, series_uid)
    record_study_read(request, found.study, "images")
    return _instances(request, Instance.objects.filter(series=found))


@endpoint(*READERS)
def instance(
    request: HttpRequest, user: User, study_uid: str, series_uid: str, instance_uid: str
) -> HttpResponseBase:
    """`…/instances/{instance}`: one Part 10 file, alone or in a multipart of one."""
    found = instance_of(user, study_uid, series_uid, instance_uid)
    record_study_read(request, found.series.study, "images")
    etag = f'"{found.sha256}-i"'
    if answer := answers.unchanged(request, etag, answers.IMMUTABLE):
        return answer
    wanted = _file_range(request)
    part = _file_part(found.storage_key, found.size, found.transfer_syntax_uid, wanted)
    alone = wanted.kind == media.DICOM
    response = answers.single(part) if alone else answers.multipart([part], kind=media.DICOM)
    response["ETag"] = etag
    return response


@endpoint(*READERS)
def frames(
    request: HttpRequest, user: User, study_uid: str, series_uid: str, instance_uid: str, numbers: str
) -> HttpResponseBase:
    """`…/frames/{n,m,…}`: frames by number from 1, in the stored syntax where the client takes it."""
    found = instance_of(user, study_uid, series_uid, instance_uid)
    record_study_read(request, found.series.study, "images")
    etag = f'"{found.sha256}-f{numbers}"' if len(numbers) < 64 else ""
    if etag and (answer := answers.unchanged(request, etag, answers.IMMUTABLE)):
        return answer
    path = storage.path_of(found)
    layout = layout_or_problem(found)
    wanted = [int(text) for text in numbers.split(",")]
    if len(wanted) > _FRAMES_AT_ONCE or any(not 1 <= n <= len(layout.frames) for n in wanted):
        raise Problem(404, "No such frame", f"This instance has the frames 1 to {len(layout.frames)}.")
    accepted, syntax = _frame_range(request, layout)
    kind = media.frame_type(syntax)
    content_type = f"{kind}; transfer-syntax={syntax}"
    read = transcoding.decoded_frame if syntax == EXPLICIT else pixels.read_frame
    if len(wanted) == 1:
        part = answers.Part(content_type, data=read(path, layout, wanted[0] - 1))
        if not accepted.multipart and accepted.kind != media.ANY:
            response = answers.single(part)
        else:
            response = answers.multipart([part], kind=kind)
    else:
        parts = [answers.Part(content_type, make=partial(read, path, layout, n - 1)) for n in wanted]
        response = answers.multipart(parts, kind=kind)
    if etag:
        response["ETag"] = etag
    return response


def layout_or_problem(found: Instance) -> pixels.Layout:
    """Where an instance's frames lie, or a Problem that says why there are none."""
    try:
        return pixels.layout_of(storage.path_of(found))
    except pixels.NoPixels:
        raise missing("frame") from None
    except pixels.Unsplittable:
        raise Problem(
            406, "Frames cannot be told apart", "Retrieve the whole instance or its bulk data instead."
        ) from None


def _instances(request: HttpRequest, rows: QuerySet[Instance]) -> HttpResponseBase:
    wanted = _file_range(request)
    if wanted.kind == media.DICOM:
        raise Problem(
            406, "Not acceptable", f"Several instances come as `{media.MULTIPART}; type={media.DICOM}` only."
        )
    ordered = rows.order_by(
        F("series__series_number").asc(nulls_last=True),
        "series_id",
        F("instance_number").asc(nulls_last=True),
        "pk",
    )
    found = list(ordered.values_list("storage_key", "size", "transfer_syntax_uid"))
    if not found:
        raise missing("set of instances")
    parts = [_file_part(key, size, syntax, wanted) for key, size, syntax in found]
    return answers.multipart(parts, kind=media.DICOM, cache=answers.REVALIDATE)


def _file_range(request: HttpRequest) -> media.MediaRange:
    """The range by which files are sent. Without a transfer syntax they are sent as stored."""
    for wanted in media.accepted(request):
        if wanted.kind not in {media.ANY, "application/*", media.DICOM, media.MULTIPART}:
            continue
        if wanted.multipart and wanted.content not in {media.ANY, media.DICOM, "application/*"}:
            continue
        return wanted
    raise Problem(
        406,
        "Not acceptable",
        f'Instances come as `{media.MULTIPART}; type="{media.DICOM}"`, frames elsewhere.',
    )


def _file_part(key: str, size: int, syntax: str, wanted: media.MediaRange) -> answers.Part:
    path = storage.path_of_key(key)
    if wanted.transfer_syntax in {"", "*", syntax}:
        return answers.Part(f"{media.DICOM}; transfer-syntax={syntax}", size=size, path=path)
    if wanted.transfer_syntax != EXPLICIT:
        raise Problem(
            406,
            "Transfer syntax not available",
            f"It is stored in {syntax} and can be had so or in {EXPLICIT}.",
        )
    make = partial(transcoding.decoded_file, path)
    return answers.Part(f"{media.DICOM}; transfer-syntax={EXPLICIT}", make=make)


def _frame_range(request: HttpRequest, layout: pixels.Layout) -> tuple[media.MediaRange, str]:
    """The best range that can be served, and the transfer syntax it is served in."""
    stored = layout.transfer_syntax_uid
    if stored == str(ImplicitVRLittleEndian) or not layout.encapsulated:
        stored = EXPLICIT  # the same bytes (or swapped, from big endian), and the only name octets may have
    kind = media.frame_type(stored)
    for wanted in media.accepted(request):
        asked, content = wanted.transfer_syntax, wanted.content
        if asked in {"*", stored} and content in {media.ANY, media.OCTET_STREAM, kind, "image/*"}:
            return wanted, stored
        if not asked and content in {media.ANY, kind, "image/*"}:
            return wanted, stored
        if content in {media.ANY, media.OCTET_STREAM, "application/*"} and asked in {"", EXPLICIT}:
            return wanted, EXPLICIT
    raise Problem(
        406,
        "Not acceptable",
        f"These frames are stored as `{kind}; transfer-syntax={stored}` and can be had so "
        f"(`{media.MULTIPART}; type={media.OCTET_STREAM}; transfer-syntax=*`) or decoded "
        f"(`{media.MULTIPART}; type={media.OCTET_STREAM}`).",
    )
