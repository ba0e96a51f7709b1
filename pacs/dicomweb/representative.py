"""Which picture stands for a series or a study: the middle slice of what the modality made."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, Final

import numpy as np
from django.db.models import F

from pacs.models import Instance, Series, Study
from pacs.selectors import metadata_of

# Objects about images, not images.
NOT_IMAGES: Final = frozenset({"SR", "SEG", "PR", "KO", "DOC", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "ECG"})
ORIENTATION: Final = "00200037"
POSITION: Final = "00200032"
IMAGE_TYPE: Final = "00080008"
# Above this many instances the instance number alone says which one is in the middle.
_SORTED_BY_POSITION: Final = 600
_REMEMBERED: Final = 2000

_middles: OrderedDict[tuple[int, int], int] = OrderedDict()
_lock = Lock()


def series_for(study: Study) -> Series | None:
    """The series to show of a study: not made here, no localizer if it can be, with the most instances."""
    candidates = list(
        study.series.filter(instances__rows__isnull=False)
        .exclude(modality__in=NOT_IMAGES)
        .order_by("derived", "-number_of_instances", F("series_number").asc(nulls_last=True), "pk")
        .distinct()
    )
    return candidates[0] if candidates else None


def middle_of(series: Series) -> tuple[Instance, int] | None:
    """The middle instance of a series along its slice normal, and its middle frame (from 0).

    The answer is remembered until the series grows.
    """
    key = (series.pk, series.number_of_instances)
    with _lock:
        known = _middles.get(key)
    chosen: Instance | None = None
    if known is not None:
        chosen = Instance.objects.defer("metadata").filter(pk=known, series=series).first()
    if chosen is None:
        chosen = _choose(series)
        if chosen is None:
            return None
        with _lock:
            _middles[key] = chosen.pk
            while len(_middles) > _REMEMBERED:
                _middles.popitem(last=False)
    return chosen, (chosen.number_of_frames - 1) // 2


def _choose(series: Series) -> Instance | None:
    images = series.instances.filter(rows__isnull=False).order_by(
        F("instance_number").asc(nulls_last=True), "sop_instance_uid"
    )
    keys = list(images.values_list("pk", flat=True))
    if not keys:
        return None
    if len(keys) > _SORTED_BY_POSITION:
        return images.defer("metadata").get(pk=keys[len(keys) // 2])
    rows = list(images)
    contents = [metadata_of(row) for row in rows]
    slices = [n for n, content in enumerate(contents) if "LOCALIZER" not in _values(content, IMAGE_TYPE)]
    kept = slices or list(range(len(rows)))
    places = positions([contents[n] for n in kept])
    if places is not None:
        kept = [kept[n] for n in np.argsort(places, kind="stable")]
    return rows[kept[len(kept) // 2]]


def positions(contents: Sequence[dict[str, Any]]) -> list[float] | None:
    """Distance in mm of each slice along the first one's normal (PS3.3 C.7.6.2.1.1); None when one has none.

    Args:
        contents: DICOM JSON of each instance.
    """
    if not contents:
        return None
    orientation = _numbers(contents[0], ORIENTATION, 6)
    points = [_numbers(content, POSITION, 3) for content in contents]
    if orientation is None or any(point is None for point in points):
        return None
    normal = np.cross(orientation[:3], orientation[3:])
    return [float(np.dot(normal, point)) for point in points if point is not None]


def _values(content: dict[str, Any], tag: str) -> list[Any]:
    return content.get(tag, {}).get("Value") or []


def _numbers(content: dict[str, Any], tag: str, count: int) -> np.ndarray | None:
    try:
        numbers = [float(value) for value in _values(content, tag)]
    except (TypeError, ValueError):
        return None
    return np.array(numbers) if len(numbers) == count else None
