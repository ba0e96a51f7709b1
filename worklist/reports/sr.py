"""A signed report as DICOM Enhanced SR, after TID 2000 Basic Diagnostic Imaging Report (PS3.16).

The document is a pure function of what was signed: making it twice gives the same bytes, so that storing
it twice is a duplicate and no conflict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, EnhancedSRStorage, ExplicitVRLittleEndian
from pydicom.valuerep import PersonName

Code = tuple[str, str, str]

TITLE: Final[Code] = ("18748-4", "LN", "Diagnostic Imaging Report")
_HISTORY: Final[Code] = ("121060", "DCM", "History")
_PROCEDURE_DESCRIPTION: Final[Code] = ("121065", "DCM", "Procedure Description")
# CID 7001 headings and, where the standard has one, the CID 7002 element below them.
HEADINGS: Final[dict[str, tuple[Code, Code]]] = {
    "history": (_HISTORY, _HISTORY),
    "comparison": (("121066", "DCM", "Prior Procedure Descriptions"), _PROCEDURE_DESCRIPTION),
    "technique": (("121064", "DCM", "Current Procedure Descriptions"), _PROCEDURE_DESCRIPTION),
    "findings": (("121070", "DCM", "Findings"), ("121071", "DCM", "Finding")),
    "impression": (("121072", "DCM", "Impressions"), ("121073", "DCM", "Impression")),
    "addendum": (("121078", "DCM", "Addendum"), ("121077", "DCM", "Conclusion")),
}
# What a report may take over from the study as received (PS3.3 C.7.1.1, C.7.2.1).
_TAKEN_OVER: Final = (
    "IssuerOfPatientID",
    "ReferringPhysicianName",
    "StudyDescription",
    "InstitutionName",
)


@dataclass(frozen=True)
class Reference:
    """An instance that was read, or a predecessor document."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


@dataclass(frozen=True)
class StudyHeader:
    """Patient and study as received; dates and times as DICOM strings."""

    study_instance_uid: str
    patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    study_date: str
    study_time: str
    study_id: str
    accession_number: str
    attributes: Dataset


@dataclass(frozen=True)
class SignedText:
    """One signed version.

    Attributes:
        sections: (key, title, text) in order.
        signed_at: aware.
        signer: as shown to people.
        organization: of the signer.
        seed: names this version of this report at this site, for UIDs.
        preliminary: signed, and waiting for a final signature.
    """

    sections: Sequence[tuple[str, str, str]]
    version: int
    number: int
    signed_at: datetime
    signer: str
    organization: str
    seed: str
    preliminary: bool = False


def uid_of(*parts: object) -> UID:
    """A UID under 2.25 (PS3.5 B.2) that is always the same for the same parts."""
    return UID(f"2.25.{uuid5(NAMESPACE_OID, 'firstread/' + '/'.join(map(str, parts))).int}")


def document_uid(seed: str, version: int) -> UID:
    """SOP Instance UID of the document of one version."""
    return uid_of(seed, "version", version)


def series_uid(seed: str) -> UID:
    """Series of all versions of one report."""
    return uid_of(seed, "series")


def build(
    header: StudyHeader,
    text: SignedText,
    *,
    evidence: Sequence[Reference],
    predecessors: Sequence[Reference],
) -> Dataset:
    """The document: COMPLETE, VERIFIED and FINAL or PRELIMINARY, with the signer as verifying observer.

    Args:
        evidence: the images read; all of the report's study.
        predecessors: the documents of the versions before, latest first; empty for the first signature.
    """
    ds = Dataset()
    ds.file_meta = _file_meta(document_uid(text.seed, text.version))
    signed = text.signed_at.astimezone(UTC)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.InstanceCreationDate = ds.ContentDate = signed.strftime("%Y%m%d")
    ds.InstanceCreationTime = ds.ContentTime = signed.strftime("%H%M%S.%f")
    ds.TimezoneOffsetFromUTC = "+0000"
    ds.SOPClassUID = EnhancedSRStorage
    ds.SOPInstanceUID = document_uid(text.seed, text.version)
    patient_and_study(ds, header)
    ds.Modality = "SR"
    ds.SeriesInstanceUID = series_uid(text.seed)
    ds.SeriesNumber = 9000
    ds.SeriesDescription = "Radiology report"
    ds.ReferencedPerformedProcedureStepSequence = DicomSequence()
    ds.PerformedProcedureCodeSequence = DicomSequence()
    ds.Manufacturer = "Firstread"
    ds.ManufacturerModelName = "Firstread"
    ds.InstanceNumber = text.number
    ds.CompletionFlag = "COMPLETE"
    ds.VerificationFlag = "VERIFIED"
    ds.PreliminaryFlag = "PRELIMINARY" if text.preliminary else "FINAL"
    ds.VerifyingObserverSequence = DicomSequence([_verifier(text, signed)])
    if evidence:
        ds.CurrentRequestedProcedureEvidenceSequence = _references(evidence)
    if predecessors:
        ds.PredecessorDocumentsSequence = _references(predecessors)
    _content(ds, text)
    return ds


def person_name(shown: str) -> str:
    """A shown name as PN, `Dr. Ada Reader` -> `Reader^Ada^^Dr.`; at most 64 characters a component group."""
    words = re.sub(r"[\\^=\x00-\x1f]", " ", shown).split()
    prefix = " ".join(w for w in words if re.fullmatch(r"(?i)(dr|prof|pd)\.?", w))
    names = [w for w in words if not re.fullmatch(r"(?i)(dr|prof|pd)\.?", w)]
    if not names:
        return (prefix or "Unknown")[:64]
    parts = [names[-1], " ".join(names[:-1]), "", prefix]
    return "^".join(parts).rstrip("^")[:64]


def _file_meta(uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = EnhancedSRStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta


def patient_and_study(ds: Dataset, header: StudyHeader) -> None:
    """Patient and study modules of a document made here (PS3.3 C.7.1.1, C.7.2.1)."""
    for keyword in _TAKEN_OVER:
        value = header.attributes.get(keyword)
        if value:
            setattr(ds, keyword, value)
    ds.PatientName = header.patient_name
    ds.PatientID = header.patient_id
    ds.PatientBirthDate = header.patient_birth_date
    ds.PatientSex = header.patient_sex if header.patient_sex in ("M", "F", "O") else ""
    ds.StudyInstanceUID = header.study_instance_uid
    ds.StudyDate = header.study_date
    ds.StudyTime = header.study_time
    ds.StudyID = header.study_id[:16]
    ds.AccessionNumber = header.accession_number[:16]
    if "ReferringPhysicianName" not in ds:
        ds.ReferringPhysicianName = ""


def _verifier(text: SignedText, signed: datetime) -> Dataset:
    item = Dataset()
    item.VerifyingObserverName = PersonName(person_name(text.signer))
    item.VerifyingOrganization = text.organization[:64]
    item.VerificationDateTime = signed.strftime("%Y%m%d%H%M%S.%f") + "+0000"
    item.VerifyingObserverIdentificationCodeSequence = DicomSequence()
    return item


def _references(references: Sequence[Reference]) -> DicomSequence:
    """Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1): by study and series."""
    studies: dict[str, dict[str, list[Reference]]] = {}
    for reference in references:
        by_series = studies.setdefault(reference.study_instance_uid, {})
        by_series.setdefault(reference.series_instance_uid, []).append(reference)
    made = []
    for study_uid, by_series in studies.items():
        study = Dataset()
        study.StudyInstanceUID = study_uid
        study.ReferencedSeriesSequence = DicomSequence()
        for series_instance_uid, found in by_series.items():
            series = Dataset()
            series.SeriesInstanceUID = series_instance_uid
            series.ReferencedSOPSequence = DicomSequence([_sop(reference) for reference in found])
            study.ReferencedSeriesSequence.append(series)
        made.append(study)
    return DicomSequence(made)


def _sop(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _content(ds: Dataset, text: SignedText) -> None:
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = _code(TITLE)
    ds.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "2000"
    ds.ContentTemplateSequence = DicomSequence([template])
    items = [_language(), *_observer(text)]
    items += [_heading(key, title, words) for key, title, words in text.sections if words.strip()]
    ds.ContentSequence = DicomSequence(items)


def _language() -> Dataset:
    """TID 1204."""
    item = _item("HAS CONCEPT MOD", "CODE", ("121049", "DCM", "Language of Content Item and Descendants"))
    item.ConceptCodeSequence = _code(("en", "RFC5646", "English"))
    return item


def _observer(text: SignedText) -> list[Dataset]:
    """TID 1002 and 1003: a person looked."""
    kind = _item("HAS OBS CONTEXT", "CODE", ("121005", "DCM", "Observer Type"))
    kind.ConceptCodeSequence = _code(("121006", "DCM", "Person"))
    name = _item("HAS OBS CONTEXT", "PNAME", ("121008", "DCM", "Person Observer Name"))
    name.PersonName = PersonName(person_name(text.signer))
    return [kind, name]


def _heading(key: str, title: str, words: str) -> Dataset:
    """A section; what no code can say of it stands in its title: who added it, or which part it is."""
    heading, element = HEADINGS[key.split("-")[0]]
    if "-" in key:
        words = f"{title}\n{words}"
    container = _item("CONTAINS", "CONTAINER", heading)
    container.ContinuityOfContent = "SEPARATE"
    item = _item("CONTAINS", "TEXT", element)
    item.TextValue = words.strip().replace("\n", "\r\n")
    container.ContentSequence = DicomSequence([item])
    return container


def _item(relationship: str, value_type: str, concept: Code) -> Dataset:
    item = Dataset()
    item.RelationshipType = relationship
    item.ValueType = value_type
    item.ConceptNameCodeSequence = _code(concept)
    return item


def _code(code: Code) -> DicomSequence:
    item: Any = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return DicomSequence([item])
