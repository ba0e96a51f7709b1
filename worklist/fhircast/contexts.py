"""The study that a reader opened, as FHIR resources of an event's context."""

from __future__ import annotations

from typing import Any

from pacs.models import Patient, Study
from worklist.fhir.resources import DICOM_UID, accession_identifier, patient_identifier, study_day

_SEX = {"M": "male", "F": "female", "O": "other"}


def context_of(study: Study, report_id: int | None) -> list[dict[str, Any]]:
    """Report when there is one, patient and study; with what lets a receiver check that it means the same patient."""
    patient = {"key": "patient", "resource": _patient(study.patient)}
    subject = {"reference": f"Patient/{study.patient_id}"}
    resource: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "id": str(study.pk),
        "status": "available",
        "identifier": [{"system": DICOM_UID, "value": f"urn:oid:{study.study_instance_uid}"}],
        "subject": subject,
    }
    if study.accession_number:
        resource["identifier"].append(accession_identifier(study.accession_number))
    if started := study_day(study):
        resource["started"] = started
    if study.study_description:
        resource["description"] = study.study_description
    context = [patient, {"key": "study", "resource": resource}]
    if report_id is None:
        return context
    report = {
        "resourceType": "DiagnosticReport",
        "id": str(report_id),
        "status": "unknown",
        "subject": subject,
        "imagingStudy": [{"reference": f"ImagingStudy/{study.pk}"}],
    }
    return [{"key": "report", "resource": report}, *context]


def _patient(patient: Patient) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "id": str(patient.pk),
        "identifier": [patient_identifier(patient.patient_id, patient.issuer_of_patient_id)],
    }
    if patient.patient_name:
        family, _, given = patient.patient_name.split("=")[0].partition("^")
        name = {"text": patient.patient_name.split("=")[0].replace("^", " ").strip(), "family": family}
        resource["name"] = [name | ({"given": given.replace("^", " ").split()} if given.strip("^") else {})]
    born = patient.patient_birth_date
    if len(born) == 8 and born.isdigit():
        resource["birthDate"] = f"{born[:4]}-{born[4:6]}-{born[6:]}"
    if patient.patient_sex in _SEX:
        resource["gender"] = _SEX[patient.patient_sex]
    return resource
