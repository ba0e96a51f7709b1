"""Images without WebGL and without a script: a page of links and rendered pictures, for any browser.

Pictures come from the archive's own `/rendered` (PS3.18 10.4.1.1.3). Structured reports are shown as text,
encapsulated documents as they are, and of what is neither it is said what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from pydicom import dcmread
from pydicom.dataset import Dataset

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, role_required
from foundation.audit import services as audit
from pacs import storage
from pacs.models import Instance, Series, Study
from pacs.selectors import studies_visible_to, withheld_from
from pacs.services.header import PARSE_ERRORS

READERS: Final = (Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)
WINDOWS: Final = {
    "brain": "40,80",
    "subdural": "75,200",
    "bone": "480,2500",
    "stroke": "35,40",
    "soft": "40,400",
    "lung": "-600,1500",
}
PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
DEEPEST: Final = 12
POLICY: Final = (
    "default-src 'none'; img-src 'self'; frame-src 'self'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@require_safe
@role_required(*READERS)
def page(request: HttpRequest, study_instance_uid: str) -> HttpResponseBase:
    """One image or document of a study: `?series=UID&image=N&window=brain`."""
    user = caller(request)
    study = _study(user, study_instance_uid)
    audit.record_read(
        request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        what="plain images",
    )
    series = _series(user, study)
    chosen = next((one for one in series if one.series_instance_uid == request.GET.get("series")), None)
    if chosen is None and request.GET.get("series"):
        raise Http404("This study has no such series, or you may not see it.")
    current = chosen or next(iter(series), None)
    shown = (
        _shown(study, current, request) if current else {"kind": "nothing", "reason": "Nothing to show yet."}
    )
    response = render(
        request,
        "viewer/plain.html",
        {
            "series": [_line(one) for one in series],
            "current": _line(current) if current else {},
            "shown": shown,
        },
    )
    return _framed(response)


@require_safe
@role_required(*READERS)
def document(request: HttpRequest, study_instance_uid: str, sop_instance_uid: str) -> HttpResponseBase:
    """An encapsulated PDF, to be shown beside its series."""
    user = caller(request)
    study = _study(user, study_instance_uid)
    instance = get_object_or_404(
        Instance, sop_instance_uid=sop_instance_uid, sop_class_uid=PDF, series__in=_series(user, study)
    )
    audit.record_read(
        request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        what="document",
    )
    held = bytes(_read(instance).get("EncapsulatedDocument", b""))
    if not held.startswith(b"%PDF"):
        raise Http404("This object holds no PDF.")
    response = HttpResponse(held, content_type="application/pdf")
    response["Content-Disposition"] = "inline"
    response["X-Content-Type-Options"] = "nosniff"
    return _framed(response)


def _shown(study: Study, series: Series, request: HttpRequest) -> dict[str, Any]:
    rows = list(
        series.instances.order_by(F("instance_number").asc(nulls_last=True), "pk").values_list(
            "sop_instance_uid", "sop_class_uid", "number_of_frames", "rows"
        )
    )
    pictures = [(uid, n + 1) for uid, _, frames, height in rows if height for n in range(frames)]
    if pictures:
        return _picture(study, series, pictures, request)
    if not rows:
        return {"kind": "nothing", "reason": "This series is empty."}
    uid, sop_class, _, _ = rows[_number(request, len(rows)) - 1]
    if sop_class == PDF:
        return {"kind": "pdf", "src": f"/viewer/plain/{study.study_instance_uid}/documents/{uid}"}
    dataset = _read(Instance.objects.get(sop_instance_uid=uid))
    if dataset.get("ContentSequence"):
        return {"kind": "text", "items": content_items(dataset.ContentSequence)}
    name = getattr(dataset.get("SOPClassUID"), "name", "") or "an object of unknown kind"
    return {"kind": "nothing", "reason": f"{name}: it holds no picture. It is in the archive as received."}


def _picture(
    study: Study, series: Series, pictures: Sequence[tuple[str, int]], request: HttpRequest
) -> dict[str, Any]:
    total = len(pictures)
    middle = (total + 1) // 2
    position = _number(request, total, usual=middle)
    window = request.GET.get("window", "")
    if series.modality != "CT" or window not in WINDOWS:
        window = ""
    uid, frame = pictures[position - 1]
    source = (
        f"/dicom-web/studies/{study.study_instance_uid}/series/{series.series_instance_uid}"
        f"/instances/{uid}/frames/{frame}/rendered"
    )

    def link(to: int, through: str = window) -> str:
        asked = {
            "series": series.series_instance_uid,
            "image": to,
            **({"window": through} if through else {}),
        }
        return f"?{urlencode(asked)}"

    names = ["", *WINDOWS] if series.modality == "CT" else []
    return {
        "kind": "picture",
        "src": f"{source}?window={WINDOWS[window]}" if window else source,
        "position": position,
        "total": total,
        "before": link(position - 1) if position > 1 else "",
        "after": link(position + 1) if position < total else "",
        "windows": [
            {"name": name or "own window", "href": link(position, name), "current": name == window}
            for name in names
        ],
    }


def content_items(sequence: Sequence[Dataset], depth: int = 0) -> list[dict[str, Any]]:
    """Names and values of a content tree (PS3.3 C.17.3), for people."""
    if depth >= DEEPEST:
        return []
    return [
        {
            "name": _meaning(item.get("ConceptNameCodeSequence")) or str(item.get("ValueType", "")).lower(),
            "value": _value(item),
            "items": content_items(item.get("ContentSequence") or [], depth + 1),
        }
        for item in sequence
    ]


def _value(item: Dataset) -> str:
    measured = item.get("MeasuredValueSequence")
    if measured:
        unit = measured[0].get("MeasurementUnitsCodeSequence")
        shown = "" if not unit or str(unit[0].get("CodeValue")) == "1" else f" {unit[0].get('CodeValue', '')}"
        return f"{measured[0].get('NumericValue', '')}{shown}"
    if item.get("ConceptCodeSequence"):
        return _meaning(item.ConceptCodeSequence)
    for keyword in ("TextValue", "PersonName", "DateTime", "Date", "Time", "UID"):
        if item.get(keyword):
            return str(item.get(keyword))
    referenced = item.get("ReferencedSOPSequence")
    return f"image {referenced[0].get('ReferencedSOPInstanceUID', '')}" if referenced else ""


def _meaning(sequence: Any) -> str:
    return str(sequence[0].get("CodeMeaning", "")) if sequence else ""


def _read(instance: Instance) -> Dataset:
    try:
        return dcmread(storage.path_of(instance), stop_before_pixels=True)
    except PARSE_ERRORS:
        raise Http404("This object cannot be read.") from None


def _number(request: HttpRequest, total: int, usual: int = 1) -> int:
    text = request.GET.get("image", "")
    return min(max(int(text), 1), total) if text.isascii() and text.isdigit() and len(text) < 9 else usual


def _study(user: User, study_instance_uid: str) -> Study:
    return get_object_or_404(
        studies_visible_to(user).select_related("patient").defer("attributes"),
        study_instance_uid=study_instance_uid,
    )


def _series(user: User, study: Study) -> list[Series]:
    """What `user` may know of, the modality's own before what was made here."""
    found = study.series.defer("attributes").order_by(
        "derived", F("series_number").asc(nulls_last=True), "pk"
    )
    withheld = withheld_from(user)
    return list(found if withheld is None else found.filter(~withheld))


def _line(series: Series) -> dict[str, Any]:
    name = " ".join(
        part
        for part in (
            "" if series.series_number is None else f"{series.series_number}",
            series.series_description,
        )
        if part
    )
    return {
        "uid": series.series_instance_uid,
        "modality": series.modality,
        "name": name,
        "count": series.number_of_instances,
    }


def _framed(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Cache-Control"] = "private, no-store"
    return response
