"""What the archive's rows tell about a study's series, as plain values for triage.routing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from django.db.models import Count, Sum

from pacs.models import Instance, Series, Study
from pacs.selectors import metadata_of
from triage.series import PROJECTION_MODALITIES, SeriesFacts, view_of

# Within 30 degrees of an axis, an orientation has that axis's name: gantry tilt stays axial.
_NAMED_WITHIN = np.cos(np.radians(30.0))
# More headers than this are not read to measure a series; its slices tell when they are read.
_MOST_HEADERS = 3000
_MOST_VIEWS = 12
_NO_AGENT = {"NO", "NONE", "N", "WITHOUT", "WITHOUT CONTRAST", "NON CONTRAST", "NO CONTRAST"}
_UNITS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


def facts_of(study: Study) -> list[SeriesFacts]:
    """Facts of every series, read from the header of an instance in its middle."""
    age = age_years(study.patient_age, study.patient.patient_birth_date, study.study_date)
    rows = study.series.annotate(instances_here=Count("instances"), frames=Sum("instances__number_of_frames"))
    return [
        _facts(study, series, age, int(series.frames or 0), int(series.instances_here))
        for series in rows.order_by("pk")
    ]


def age_years(patient_age: str, birth_date: str, study_date: str) -> float | None:
    """Age in years from Patient's Age (AS, such as 071Y), else from the dates (DA), else None."""
    if match := re.fullmatch(r"(\d{3})([DWMY])", patient_age.strip().upper()):
        return int(match[1]) * _UNITS[match[2]]
    born, made = _date(birth_date), _date(study_date)
    if born is None or made is None or made < born:
        return None
    return (made - born).days / 365.25


def _facts(study: Study, series: Series, age: float | None, frames: int, instances: int) -> SeriesFacts:
    header: Mapping[str, Any] = {}
    sop_class_uid = ""
    if instances:
        middle = series.instances.order_by("instance_number", "sop_instance_uid")[instances // 2]
        header, sop_class_uid = metadata_of(middle), middle.sop_class_uid
    return SeriesFacts(
        series_id=series.pk,
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        body_part_examined=series.body_part_examined,
        series_description=series.series_description,
        study_description=study.study_description,
        protocol_name=series.protocol_name,
        sop_class_uid=sop_class_uid,
        slices=frames,
        age_years=age,
        series_number=series.series_number or 0,
        derived=series.derived,
        coverage_mm=None if series.derived else _coverage(series, instances, header),
        views=_views(series) if series.modality in PROJECTION_MODALITIES and not series.derived else (),
        **_of_image(header),
    )


def facts_from_headers(headers: Sequence[Mapping[str, Any]], series_id: int = 0) -> SeriesFacts:
    """Facts of a series that is in no archive, as its rows would tell them.

    Args:
        headers: DICOM JSON (PS3.18 F) of every instance of one series, in any order; at least one.
        series_id: a number by which the caller knows the series.
    """
    by_number = sorted(
        headers, key=lambda h: (_number(_first(h, "00200013")) or 0.0, str(_first(h, "00080018")))
    )
    header = by_number[len(by_number) // 2]
    images = [h for h in by_number if "LOCALIZER" not in _values(h, "00080008")]
    return SeriesFacts(
        series_id=series_id,
        series_instance_uid=str(_first(header, "0020000E", "")),
        modality=str(_first(header, "00080060", "")),
        body_part_examined=str(_first(header, "00180015", "")),
        series_description=str(_first(header, "0008103E", "")),
        study_description=str(_first(header, "00081030", "")),
        protocol_name=str(_first(header, "00181030", "")),
        sop_class_uid=str(_first(header, "00080016", "")),
        slices=sum(int(_number(_first(h, "00280008")) or 1) for h in by_number),
        age_years=age_years(
            str(_first(header, "00101010", "")),
            str(_first(header, "00100030", "")),
            str(_first(header, "00080020", "")),
        ),
        series_number=int(_number(_first(header, "00200011")) or 0),
        views=tuple(dict.fromkeys(_view(h) for h in by_number))
        if _first(header, "00080060") in PROJECTION_MODALITIES
        else (),
        coverage_mm=coverage_mm(
            _values(header, "00200037"),
            [position for h in images for position in _positions(h)],
            _number(_first(header, "00180050")),
        ),
        **_of_image(header),
    )


def _of_image(header: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image_type": tuple(str(v).strip().upper() for v in _values(header, "00080008")),
        "kernel": str(_first(header, "00181210", "")),
        "slice_thickness_mm": _number(_first(header, "00180050")),
        "orientation": orientation_name(_values(header, "00200037")),
        "contrast_agent": _contrast_agent(header),
        "manufacturer": str(_first(header, "00080070", "")),
    }


def orientation_name(values: list[Any]) -> str:
    """axial, coronal, sagittal or oblique from Image Orientation (Patient); "" when it is not there."""
    numbers = [_number(value) for value in values]
    if len(numbers) != 6 or None in numbers:
        return ""
    directions = np.array(numbers, dtype=float)
    normal = np.cross(directions[:3], directions[3:])
    axis = int(np.argmax(np.abs(normal)))
    if abs(normal[axis]) < _NAMED_WITHIN:
        return "oblique"
    return ("sagittal", "coronal", "axial")[axis]


def coverage_mm(
    orientation: list[Any], positions: Sequence[list[Any]], thickness_mm: float | None
) -> float | None:
    """From the lowest slice to the highest along their normal, plus one thickness; None when not known.

    Args:
        orientation: Image Orientation (Patient) of one slice.
        positions: Image Position (Patient) of each.
    """
    directions = [_number(value) for value in orientation]
    places = [[_number(value) for value in position] for position in positions]
    whole = [place for place in places if len(place) == 3 and None not in place]
    if len(directions) != 6 or None in directions or len(whole) < 2:
        return None
    axes = np.array(directions, dtype=float)
    depths = np.array(whole, dtype=float) @ np.cross(axes[:3], axes[3:])
    return float(np.ptp(depths)) + (thickness_mm or 0.0)


def depths_of(series: Series) -> list[float]:
    """Depth of every slice along the series' normal, mm, in no order; empty where that is not known."""
    directions: Any = None
    depths: list[float] = []
    for instance in series.instances.only("metadata"):
        content = metadata_of(instance)
        orientation = [_number(value) for value in _values(content, "00200037")]
        if len(orientation) != 6 or None in orientation:
            return []
        axes = np.array(orientation, dtype=float)
        normal = np.cross(axes[:3], axes[3:])
        if directions is None:
            directions = normal
        elif float(directions @ normal) < _NAMED_WITHIN:
            return []
        for place in _positions(content):
            numbers = [_number(value) for value in place]
            if len(numbers) != 3 or None in numbers:
                return []
            depths.append(float(np.array(numbers, dtype=float) @ directions))
    return depths


def input_of(series_id: int) -> list[tuple[str, str]]:
    """SOP Instance UID and SHA-256 of every instance of a series, sorted."""
    return sorted(Instance.objects.filter(series_id=series_id).values_list("sop_instance_uid", "sha256"))


def _coverage(series: Series, instances: int, header: Mapping[str, Any]) -> float | None:
    orientation = _values(header, "00200037")
    if len(orientation) != 6 or instances > _MOST_HEADERS:
        return None
    positions: list[list[Any]] = []
    for instance in series.instances.only("metadata"):
        content = metadata_of(instance)
        if "LOCALIZER" in _values(content, "00080008"):
            continue
        positions += _positions(content)
    return coverage_mm(orientation, positions, _number(_first(header, "00180050")))


def _views(series: Series) -> tuple[str, ...]:
    images = series.instances.only("metadata").order_by("instance_number", "sop_instance_uid")[:_MOST_VIEWS]
    return tuple(dict.fromkeys(_view(metadata_of(image)) for image in images))


def _view(header: Mapping[str, Any]) -> str:
    codes = header.get("00540220", {}).get("Value") or [{}]
    return view_of(str(_first(header, "00185101", "")), str(_first(codes[0], "00080104", "")))


def _positions(content: Mapping[str, Any]) -> list[list[Any]]:
    """Image Position (Patient) of each frame: per frame (PS3.3 C.7.6.16.2.3), else of the whole instance."""
    places = [
        item["00200032"]["Value"]
        for frame in content.get("52009230", {}).get("Value", [])
        for item in frame.get("00209113", {}).get("Value", [])[:1]
        if item.get("00200032", {}).get("Value")
    ]
    return places or [position for position in [_values(content, "00200032")] if position]


def _contrast_agent(header: Mapping[str, Any]) -> str:
    """Contrast/Bolus Agent in words, or the meaning of its code (enhanced objects: PS3.3 C.7.6.4b)."""
    if agent := str(_first(header, "00180010", "")).strip():
        return "" if agent.upper() in _NO_AGENT else agent
    for item in header.get("00180012", {}).get("Value", [])[:1]:
        return str(_first(item, "00080104", "agent"))
    return ""


def _values(header: Mapping[str, Any], tag: str) -> list[Any]:
    """Values of a tag at the top level or in the functional groups of an enhanced object (PS3.18 F)."""
    direct = header.get(tag, {}).get("Value")
    if direct:
        return list(direct)
    for groups in ("52009229", "52009230"):
        for group in header.get(groups, {}).get("Value", [])[:1]:
            for sequence in group.values():
                for item in sequence.get("Value", [])[:1]:
                    if isinstance(item, Mapping) and item.get(tag, {}).get("Value"):
                        return list(item[tag]["Value"])
    return []


def _first(header: Mapping[str, Any], tag: str, default: Any = None) -> Any:
    values = _values(header, tag)
    return default if not values or values[0] is None else values[0]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
