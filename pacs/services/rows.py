"""From an instance's header to the rows of patient, study, series and instance.

Patient, study and series attributes are those of the first instance that came; later ones with other
values change nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db.models import F

from pacs import completeness
from pacs.models import Instance, Patient, Series, Study
from pacs.services.header import Header
from pacs.services.objects import Source
from pacs.services.prepare import Prepared


def _tags(*tags: int) -> frozenset[str]:
    """DICOM JSON keys: eight hex digits."""
    return frozenset(f"{tag:08X}" for tag in tags)


# Patient is all of group 0010; the rest of General and Patient Study (PS3.3 C.7.2), and the equipment's
# institution, because people look for it at study level.
STUDY_TAGS: Final = _tags(
    0x00080005,
    0x00080020,
    0x00080030,
    0x00080050,
    0x00080051,
    0x00080080,
    0x00080090,
    0x00080201,
    0x00081030,
    0x00081032,
    0x00081048,
    0x00081060,
    0x00081080,
    0x00081110,
    0x00120010,
    0x00120040,
    0x00120062,
    0x00120063,
    0x00200010,
    0x0020000D,
    0x00200200,
    0x00201206,
    0x00201208,
    0x00321032,
    0x00321060,
    0x00321064,
    0x00380010,
)
# General Series, General Equipment, Frame of Reference (PS3.3 C.7.3, C.7.5, C.7.4).
SERIES_TAGS: Final = _tags(
    0x00080005,
    0x00080021,
    0x00080031,
    0x00080060,
    0x00080064,
    0x00080068,
    0x00080070,
    0x00080080,
    0x00080081,
    0x00081010,
    0x0008103E,
    0x0008103F,
    0x00081040,
    0x00081050,
    0x00081070,
    0x00081090,
    0x00081111,
    0x00180010,
    0x00180015,
    0x00180022,
    0x00180050,
    0x00180060,
    0x00181000,
    0x00181020,
    0x00181030,
    0x00181050,
    0x00181210,
    0x00185100,
    0x00200011,
    0x0020000E,
    0x00200052,
    0x00200060,
    0x00201040,
    0x00201209,
    0x00400244,
    0x00400245,
    0x00400253,
    0x00400254,
    0x00400260,
    0x00400275,
)
NUMBER_OF_STUDY_RELATED_INSTANCES: Final = "00201208"
IMAGES_IN_ACQUISITION: Final = "00201002"


def is_same_patient(patient: Patient, header: Header) -> bool:
    """Patient ID agrees, and the issuer too where both name one."""
    if patient.patient_id != header.text("00100020", 64):
        return False
    issuer = header.text("00100021", 64)
    return not issuer or not patient.issuer_of_patient_id or issuer == patient.issuer_of_patient_id


def patient_for(header: Header, cache: dict[tuple[str, str], Patient]) -> Patient:
    """The patient of a new study; without a Patient ID always a new row."""
    identity = (header.text("00100020", 64), header.text("00100021", 64))
    known = cache.get(identity)
    if known is not None:
        return known
    demographics = {
        "patient_name": header.name("00100010"),
        "patient_birth_date": header.text("00100030", 8),
        "patient_sex": header.text("00100040", 16),
    }
    if not identity[0]:
        return Patient.objects.create(patient_id="", issuer_of_patient_id=identity[1], **demographics)
    patient, _ = Patient.objects.get_or_create(
        patient_id=identity[0], issuer_of_patient_id=identity[1], defaults=demographics
    )
    cache[identity] = patient
    return patient


def create_study(patient: Patient, header: Header, source: Source, now: datetime) -> Study:
    """Insert a study from its first instance. `attributes` are DICOM JSON, text in Unicode."""
    return Study.objects.create(
        study_instance_uid=header.study_instance_uid,
        patient=patient,
        study_date=header.text("00080020", 8),
        study_time=header.text("00080030", 16),
        study_id=header.text("00200010", 64),
        accession_number=header.text("00080050", 64),
        study_description=header.text("00081030"),
        referring_physician_name=header.name("00080090"),
        institution_name=header.text("00080080"),
        patient_age=header.text("00101010", 8),
        body_part_examined=header.text("00180015", 64),
        attributes={
            tag: value for tag, value in header.json.items() if tag.startswith("0010") or tag in STUDY_TAGS
        },
        expected_instances=expected_instances(header),
        source=source.label[:80],
        received_at=now,
        last_instance_at=now,
        receiving_since=now,
    )


def expected_instances(header: Header) -> int | None:
    """How many instances the study will have, as its first instance announces.

    Number of Study Related Instances counts the study; Images in Acquisition counts the study only as
    long as that has a single series (add_to_study drops it with the second).
    """
    return header.number(NUMBER_OF_STUDY_RELATED_INSTANCES, minimum=1) or header.number(
        IMAGES_IN_ACQUISITION, minimum=1
    )


def create_series(study: Study, header: Header, *, derived: bool) -> Series:
    """Insert a series from its first instance."""
    return Series.objects.create(
        series_instance_uid=header.series_instance_uid,
        study=study,
        modality=header.text("00080060", 16),
        series_number=header.number("00200011"),
        series_description=header.text("0008103E"),
        body_part_examined=header.text("00180015", 64),
        protocol_name=header.text("00181030"),
        series_date=header.text("00080021", 8),
        series_time=header.text("00080031", 16),
        attributes={tag: value for tag, value in header.json.items() if tag in SERIES_TAGS},
        derived=derived,
    )


def new_instance(series: Series, item: Prepared, key: str, now: datetime) -> Instance:
    """An unsaved instance row."""
    header = item.header
    return Instance(
        sop_instance_uid=header.sop_instance_uid,
        series=series,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        instance_number=header.number("00200013"),
        number_of_frames=header.number("00280008", minimum=1) or 1,
        rows=header.number("00280010", minimum=0),
        columns=header.number("00280011", minimum=0),
        storage_key=key,
        size=item.size,
        sha256=item.sha256,
        metadata=header.packed(),
        source=item.source.label[:80],
        stored_at=now,
    )


def add_to_series(series: Series, count: int) -> None:
    """Raise a series' counter."""
    Series.objects.filter(pk=series.pk).update(number_of_instances=F("number_of_instances") + count)


def add_to_study(
    study: Study,
    *,
    stored: int,
    original: int,
    series_created: int,
    modalities: set[str],
    associations: int,
    now: datetime,
) -> None:
    """Raise a locked study's counters and set its timer.

    Instances made here change neither its timer nor its version.
    """
    before = {m for m in study.modalities.split("\\") if m}
    study.modalities = "\\".join(sorted(before | {m for m in modalities if m}))[:255]
    study.number_of_instances += stored
    study.number_of_series += series_created
    changed: dict[str, Any] = {
        "modalities": study.modalities,
        "number_of_instances": study.number_of_instances,
        "number_of_series": study.number_of_series,
    }
    if original:
        study.last_instance_at = now
        study.version += 1
        study.associations_open += associations
        changed |= {
            "last_instance_at": now,
            "version": study.version,
            "associations_open": study.associations_open,
        }
        if study.number_of_series > 1 and NUMBER_OF_STUDY_RELATED_INSTANCES not in study.attributes:
            study.expected_instances = None
            changed["expected_instances"] = None
        verdict = completeness.judge(completeness.arrival_of(study), completeness.site_limits(), now)
        changed["completion_due_at"] = study.completion_due_at = verdict.look_again_at or now
    Study.objects.filter(pk=study.pk).update(**changed)
