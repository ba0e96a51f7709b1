"""Search results as DICOM JSON (PS3.18 F, 10.6.3): what a study, series or instance row says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydicom.datadict import dictionary_VR

from pacs.dicomweb.query import Query
from pacs.models import Instance, Series, Study
from pacs.selectors import metadata_of

Content = dict[str, Any]

STUDY_EXTRA: Final = frozenset({"00080080", "00081030", "00101010", "00100021"})
SERIES_EXTRA: Final = frozenset({"00080021", "00080031", "00180015", "00400244", "00400245", "00400275"})
INSTANCE_EXTRA: Final = frozenset({"00280008", "00280010", "00280011", "00280100"})


def study_content(study: Study, query: Query, root: str) -> Content:
    """A study; `root` is the absolute address of the service, without a slash at the end."""
    content = _picked(study.attributes, query, STUDY_EXTRA)
    content |= study_identity(study)
    content |= {
        "00080061": element("CS", study.modalities.split("\\") if study.modalities else []),
        "00080056": element("CS", ["ONLINE"]),
        "00081190": element("UR", [f"{root}/studies/{study.study_instance_uid}"]),
        "00201206": element("IS", [study.number_of_series]),
        "00201208": element("IS", [study.number_of_instances]),
    }
    return _sorted(content)


def study_identity(study: Study) -> Content:
    """Patient and study as the archive's rows have them now; they win over what the first instance said."""
    patient = study.patient
    return {
        "00080005": element("CS", ["ISO_IR 192"]),
        "00080020": _text("DA", study.study_date),
        "00080030": _text("TM", study.study_time),
        "00080050": _text("SH", study.accession_number),
        "00080090": _name(study.referring_physician_name),
        "00100010": _name(patient.patient_name),
        "00100020": _text("LO", patient.patient_id),
        "00100030": _text("DA", patient.patient_birth_date),
        "00100040": _text("CS", patient.patient_sex),
        "0020000D": element("UI", [study.study_instance_uid]),
        "00200010": _text("SH", study.study_id),
        "00081030": _text("LO", study.study_description),
    }


def series_content(series: Series, query: Query, root: str, *, with_study: bool) -> Content:
    """A series; with its study's attributes where the search was not within one study."""
    study = series.study
    content = _picked({**study.attributes, **series.attributes}, query, SERIES_EXTRA)
    if with_study or query.include_all:
        content |= study_identity(study)
    content |= {tag: value for tag, value in study_identity(study).items() if tag in query.include}
    address = f"{root}/studies/{study.study_instance_uid}/series/{series.series_instance_uid}"
    content |= {
        "00080005": element("CS", ["ISO_IR 192"]),
        "00080056": element("CS", ["ONLINE"]),
        "00080060": _text("CS", series.modality),
        "0008103E": _text("LO", series.series_description),
        "00081190": element("UR", [address]),
        "0020000D": element("UI", [study.study_instance_uid]),
        "0020000E": element("UI", [series.series_instance_uid]),
        "00200011": element("IS", [] if series.series_number is None else [series.series_number]),
        "00201209": element("IS", [series.number_of_instances]),
    }
    return _sorted(content)


def instance_content(instance: Instance, query: Query, root: str, *, with_study: bool) -> Content:
    """An instance; with its study's attributes where the search was not within one study."""
    series = instance.series
    study = series.study
    content = _picked(metadata_of(instance), query, INSTANCE_EXTRA)
    if with_study or query.include_all:
        content |= study_identity(study)
    content |= {tag: value for tag, value in study_identity(study).items() if tag in query.include}
    address = (
        f"{root}/studies/{study.study_instance_uid}/series/{series.series_instance_uid}"
        f"/instances/{instance.sop_instance_uid}"
    )
    content |= {
        "00080005": element("CS", ["ISO_IR 192"]),
        "00080016": element("UI", [instance.sop_class_uid]),
        "00080018": element("UI", [instance.sop_instance_uid]),
        "00080056": element("CS", ["ONLINE"]),
        "00081190": element("UR", [address]),
        "00083002": element("UI", [instance.transfer_syntax_uid]),
        "0020000D": element("UI", [study.study_instance_uid]),
        "0020000E": element("UI", [series.series_instance_uid]),
        "00200013": element("IS", [] if instance.instance_number is None else [instance.instance_number]),
    }
    return _sorted(content)


def element(vr: str, values: Iterable[Any]) -> Content:
    """One DICOM JSON attribute; without Value when it has none (PS3.18 F.2.5)."""
    held = list(values)
    return {"vr": vr, "Value": held} if held else {"vr": vr}


def _text(vr: str, value: str) -> Content:
    return element(vr, [value] if value else [])


def _name(value: str) -> Content:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
    named = {group: text for group, text in groups if text}
    return element("PN", [named] if named else [])


def _picked(attributes: Content, query: Query, usual: frozenset[str]) -> Content:
    """What is returned of stored attributes; asked-for ones that are absent come empty (PS3.18 10.6.3)."""
    if query.include_all:
        return dict(attributes)
    content = {tag: attributes[tag] for tag in usual if tag in attributes}
    for tag in query.include | {key.path[0] for key in query.keys}:
        content[tag] = attributes.get(tag) or {"vr": _vr(tag)}
    return content


def _vr(tag: str) -> str:
    try:
        return dictionary_VR(int(tag, 16))[:2]
    except KeyError:
        return "UN"


def _sorted(content: Content) -> Content:
    return {
        tag: {name: value for name, value in content[tag].items() if name != "BulkDataURI"}
        for tag in sorted(content)
    }
