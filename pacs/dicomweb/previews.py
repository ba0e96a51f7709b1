"""WADO-RS rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4): pictures, not images.

ER staff may see these of their own patients, and nothing else of DICOMweb.
"""

from __future__ import annotations

import re
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from foundation.accounts.models import User
from foundation.problems import Problem
from pacs import storage
from pacs.dicomweb import answers, media, rendering, representative, windowing
from pacs.dicomweb.access import (
    PREVIEWERS,
    endpoint,
    instance_of,
    missing,
    record_study_read,
    series_of,
    study_of,
)
from pacs.dicomweb.rendering import JPEG, PNG, Viewport
from pacs.dicomweb.windowing import Window
from pacs.models import Instance, Series
from pacs.selectors import is_withheld

THUMBNAIL: Final = Viewport(256, 256)
_LARGEST_VIEWPORT: Final = 4096
_NUMBER: Final = re.compile(r"[+-]?\d{1,9}(\.\d{1,9})?([eE][+-]?\d{1,2})?")


@endpoint(*PREVIEWERS)
def instance(
    request: HttpRequest, user: User, study_uid: str, series_uid: str, instance_uid: str, number: str = "1"
) -> HttpResponseBase:
    """`…/instances/{instance}/rendered` and `…/frames/{n}/rendered`; without a frame, the first."""
    found = instance_of(user, study_uid, series_uid, instance_uid)
    return _rendered(request, found, index=int(number) - 1, cache=answers.IMMUTABLE)


@endpoint(*PREVIEWERS)
def instance_thumbnail(
    request: HttpRequest, user: User, study_uid: str, series_uid: str, instance_uid: str, number: str = ""
) -> HttpResponseBase:
    """`…/instances/{instance}/thumbnail` and `…/frames/{n}/thumbnail`; without a frame, the middle one."""
    found = instance_of(user, study_uid, series_uid, instance_uid)
    index = int(number) - 1 if number else (found.number_of_frames - 1) // 2
    return _rendered(request, found, index=index, cache=answers.IMMUTABLE, viewport=THUMBNAIL)


@endpoint(*PREVIEWERS)
def series_thumbnail(request: HttpRequest, user: User, study_uid: str, series_uid: str) -> HttpResponseBase:
    """`/studies/{study}/series/{series}/thumbnail`: its middle slice."""
    return _middle(request, series_of(user, study_uid, series_uid))


@endpoint(*PREVIEWERS)
def study_thumbnail(request: HttpRequest, user: User, study_uid: str) -> HttpResponseBase:
    """`/studies/{study}/thumbnail`: the middle slice of its largest series of images."""
    study = study_of(user, study_uid)
    chosen = representative.series_for(study)
    if chosen is None or is_withheld(user, chosen):
        raise Problem(404, "Nothing to show", "This study has no images.")
    chosen.study = study
    return _middle(request, chosen)


def _middle(request: HttpRequest, series: Series) -> HttpResponseBase:
    chosen = representative.middle_of(series)
    if chosen is None:
        raise Problem(404, "Nothing to show", "This series has no images.")
    found, index = chosen
    found.series = series
    return _rendered(request, found, index=index, cache=answers.REVALIDATE, viewport=THUMBNAIL)


def _rendered(
    request: HttpRequest, found: Instance, *, index: int, cache: str, viewport: Viewport | None = None
) -> HttpResponseBase:
    kind = _kind(request)
    window = parse_window(request.GET.get("window", ""))
    wanted = parse_viewport(request.GET.get("viewport", "")) or viewport
    quality = _quality(request.GET.get("quality", ""))
    record_study_read(request, found.series.study, "preview")
    etag = f'"{found.sha256}-{hash_of(index, kind, window, wanted, quality)}"'
    if answer := answers.unchanged(request, etag, cache):
        return answer
    path = storage.path_of(found)
    if not path.is_file():
        raise missing("instance's file")
    picture = rendering.render(path, index=index, kind=kind, window=window, viewport=wanted, quality=quality)
    response = answers.single(answers.Part(kind, data=picture), cache=cache)
    response["ETag"] = etag
    return response


def hash_of(*values: object) -> str:
    """A short name of a rendering's parameters, the same in every process."""
    return re.sub(r"[^0-9A-Za-z.,-]", "", ",".join(repr(value) for value in values))


def parse_window(text: str) -> Window | None:
    """`center,width[,function]` (PS3.18 8.3.5.1.4); None when not given."""
    if not text:
        return None
    pieces = [piece.strip() for piece in text.split(",")]
    function = pieces[2].upper().replace("-", "_") if len(pieces) == 3 else windowing.LINEAR
    numbers = [float(piece) for piece in pieces[:2] if _NUMBER.fullmatch(piece)]
    if (
        len(pieces) not in {2, 3}
        or len(numbers) != 2
        or numbers[1] <= 0
        or function not in windowing.FUNCTIONS
    ):
        raise Problem(
            400, "Not a window", "`window` is center,width[,function] with width above 0, as in window=40,80."
        )
    return Window(numbers[0], numbers[1], function)


def parse_viewport(text: str) -> Viewport | None:
    """`width,height[,x,y,w,h]` (PS3.18 8.3.5.1.3); None when not given."""
    if not text:
        return None
    pieces = [piece.strip() for piece in text.split(",")]
    numbers = [float(piece) for piece in pieces if _NUMBER.fullmatch(piece)]
    right = len(numbers) == len(pieces) and len(pieces) in {2, 6}
    if not right or not all(1 <= number <= _LARGEST_VIEWPORT for number in numbers[:2]):
        raise Problem(
            400,
            "Not a viewport",
            f"`viewport` is width,height[,x,y,w,h] in pixels, at most {_LARGEST_VIEWPORT}.",
        )
    region = (numbers[2], numbers[3], numbers[4], numbers[5]) if len(numbers) == 6 else None
    return Viewport(int(numbers[0]), int(numbers[1]), region)


def _quality(text: str) -> int:
    if not text:
        return 90
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 100:
        raise Problem(400, "Not a quality", "`quality` is a whole number from 1 to 100.")
    return int(text)


def _kind(request: HttpRequest) -> str:
    """PNG or JPEG; JPEG where the client does not mind (PS3.18 8.7.4)."""
    for wanted in media.accepted(request):
        if wanted.kind in {PNG, JPEG}:
            return wanted.kind
        if wanted.kind in {media.ANY, "image/*"}:
            return JPEG
    raise Problem(406, "Not acceptable", f"Pictures come as {JPEG} or {PNG}.")
