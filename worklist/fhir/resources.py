"""Signed reports as FHIR R4 resources (DiagnosticReport, Bundle, OperationOutcome, CapabilityStatement).

Pure functions from rows to JSON. An unsigned report has no resource here: a DiagnosticReport that is
"preliminary" holds verified early results, and an AI draft is none. What AI says stands in ai_resources.py.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pacs.models import Study
from worklist.reports.models import ReportVersion
from worklist.reports.outgoing.oru import ANSWERS as _ANSWERS
from worklist.reports.outgoing.status import status_of

FHIR_VERSION: Final = "4.0.1"
DICOM_UID: Final = "urn:dicom:uid"
RADELEMENT: Final = "https://radelement.org"
UCUM: Final = "http://unitsofmeasure.org"
_SYSTEMS: Final = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "v2-0074": "http://terminology.hl7.org/CodeSystem/v2-0074",
}
# What an answer is when its report was added to: an addendum leaves it as it was.
_OBSERVATION_STATUS: Final = {
    "preliminary": "preliminary",
    "final": "final",
    "appended": "final",
    "corrected": "corrected",
    "amended": "amended",
}
_OF_AI: Final = {
    "Observation": (
        "Findings of live AI models: preliminary, verified by no reader. Nothing found is told as undetermined; "
        "it is not a negative result."
    ),
    "Task": "What live AI models were asked: requested, in-progress, completed, failed, rejected or cancelled.",
}
_IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"


def diagnostic_report(
    version: ReportVersion, *, pdf: bytes | None = None, pdf_url: str = ""
) -> dict[str, Any]:
    """The DiagnosticReport of a signed version.

    Args:
        pdf: its PDF, which then is part of the resource.
        pdf_url: where its PDF is instead; for lists, which would grow heavy.
    """
    report, study = version.report, version.report.study
    order = getattr(study, "order", None)
    accession = study.accession_number or (order.accession_number if order else "")
    resource: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": str(report.pk),
        "meta": {"versionId": str(version.version), "lastUpdated": instant(version.at)},
        "identifier": _identifiers(version, accession),
        "status": status_of(version.action).fhir,
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                        "code": "RAD",
                        "display": "Radiology",
                    }
                ]
            }
        ],
        "code": {
            "coding": [{"system": _SYSTEMS["LN"], "code": "18748-4", "display": "Diagnostic imaging study"}],
            "text": study.study_description or "Diagnostic imaging study",
        },
        "subject": {
            "type": "Patient",
            "identifier": patient_identifier(study.patient.patient_id, study.patient.issuer_of_patient_id),
            "display": study.patient.patient_name,
        },
        "issued": instant(version.at),
        "resultsInterpreter": [{"display": name} for name in _interpreters(version)],
        "imagingStudy": [
            {
                "type": "ImagingStudy",
                "identifier": {"system": DICOM_UID, "value": f"urn:oid:{study.study_instance_uid}"},
            }
        ],
        "conclusion": _text(version, "impression"),
        "conclusionCode": [_concept(c) for c in version.conclusions if c["value"] == "present"],
        "presentedForm": [_form(version), *_pdf_form(version, pdf, pdf_url)],
    }
    observations = [
        _observation(version, number, conclusion, resource["subject"])
        for number, conclusion in enumerate(version.conclusions, start=1)
        if conclusion["value"] in _ANSWERS
    ]
    observations += _structured(version, resource["subject"])
    if observations:
        resource["contained"] = observations
        resource["result"] = [{"reference": f"#{one['id']}"} for one in observations]
    if accession:
        resource["basedOn"] = [{"type": "ServiceRequest", "identifier": accession_identifier(accession)}]
    resource["effectiveDateTime"] = study_day(study)
    return {name: value for name, value in resource.items() if value not in ([], "")}


def notification(version: ReportVersion, site: str) -> dict[str, Any]:
    """That a report has a new version, without a word of it: a history Bundle of one entry.

    Args:
        site: absolute address of this site, without a slash at its end.
    """
    address = f"DiagnosticReport/{version.report_id}"
    first = not version.report.versions.filter(version__lt=version.version).exists()
    return {
        "resourceType": "Bundle",
        "type": "history",
        "timestamp": instant(version.at),
        "entry": [
            {
                "fullUrl": f"{site}/fhir/{address}",
                "request": {"method": "PUT", "url": address},
                "response": {
                    "status": "201" if first else "200",
                    "location": address,
                    "etag": f'W/"{version.version}"',
                    "lastModified": instant(version.at),
                },
            }
        ],
    }


def searchset(versions: Sequence[ReportVersion], base: str, asked: str) -> dict[str, Any]:
    """A Bundle of what a search found.

    Args:
        base: absolute address of the FHIR endpoint, ending in a slash.
        asked: absolute address of the search.
    """
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(versions),
        "link": [{"relation": "self", "url": asked}],
    }
    if versions:
        bundle["entry"] = [
            {
                "fullUrl": f"{base}DiagnosticReport/{version.report_id}",
                "resource": diagnostic_report(
                    version, pdf_url=f"{base.removesuffix('fhir/')}api/reports/{version.report_id}/pdf/"
                ),
                "search": {"mode": "match"},
            }
            for version in versions
        ]
    return bundle


def operation_outcome(code: str, diagnostics: str) -> dict[str, Any]:
    """An error; `code` is one of the value set issue-type."""
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def capability_statement(base: str, software_version: str, date: str) -> dict[str, Any]:
    """What this endpoint can do."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Firstread", "version": software_version},
        "implementation": {"description": "Signed radiology reports; AI results, unverified", "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "extension": [
                    {
                        "url": "http://fhircast.hl7.org/StructureDefinition/fhircast-configuration",
                        "extension": [{"url": "hub.url", "valueUri": base.replace("/fhir/", "/fhircast/")}],
                    }
                ],
                "resource": [
                    {
                        "type": "DiagnosticReport",
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "versioning": "versioned",
                        "searchParam": [
                            {
                                "name": "identifier",
                                "type": "token",
                                "definition": (
                                    "http://hl7.org/fhir/SearchParameter/DiagnosticReport-identifier"
                                ),
                                "documentation": "Accession number, or SOP Instance UID of the DICOM SR.",
                            },
                            {
                                "name": "study",
                                "type": "token",
                                "documentation": "Study Instance UID, with or without urn:oid:.",
                            },
                            {
                                "name": "status",
                                "type": "token",
                                "definition": "http://hl7.org/fhir/SearchParameter/DiagnosticReport-status",
                                "documentation": (
                                    "Only partial, with study: results of AI, which no reader verified. "
                                    "Without it, signed reports only."
                                ),
                            },
                        ],
                    },
                    *(_ai_capability(kind, what) for kind, what in _OF_AI.items()),
                ],
            }
        ],
    }


def _ai_capability(kind: str, what: str) -> dict[str, Any]:
    return {
        "type": kind,
        "documentation": what,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": [
            {
                "name": "study",
                "type": "token",
                "documentation": "Study Instance UID, with or without urn:oid:. Needed.",
            }
        ],
    }


def instant(at: datetime) -> str:
    """A FHIR instant in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _identifiers(version: ReportVersion, accession: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if version.sr_sop_instance_uid:
        found.append({"system": DICOM_UID, "value": f"urn:oid:{version.sr_sop_instance_uid}"})
    if accession:
        found.append(accession_identifier(accession))
    return found


def accession_identifier(accession: str) -> dict[str, Any]:
    """An identifier of type ACSN."""
    return {"type": {"coding": [{"system": _IDENTIFIER_TYPES, "code": "ACSN"}]}, "value": accession}


def patient_identifier(patient_id: str, issuer: str) -> dict[str, Any]:
    """An identifier of type MR, with its issuer."""
    identifier: dict[str, Any] = {
        "type": {"coding": [{"system": _IDENTIFIER_TYPES, "code": "MR"}]},
        "value": patient_id or "unknown",
    }
    return identifier | ({"assigner": {"display": issuer}} if issuer else {})


def _interpreters(version: ReportVersion) -> list[str]:
    people = [version.report.signed_by, version.by]
    return list(dict.fromkeys(p.display_name or p.username for p in people if p is not None))


def coded(code: str, scheme: str, meaning: str, *, text: str = "") -> dict[str, Any]:
    """A CodeableConcept; a scheme that FHIR has no address for is left out."""
    coding = {"code": code, "display": meaning}
    system = _SYSTEMS.get(scheme)
    return {"coding": [coding | ({"system": system} if system else {})], "text": text or meaning}


def study_day(study: Study) -> str:
    """Study Date as a FHIR date, or ""."""
    day = study.study_date
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else ""


def _concept(conclusion: dict[str, Any]) -> dict[str, Any]:
    return coded(conclusion["code"], conclusion["scheme"], conclusion["meaning"])


def _text(version: ReportVersion, key: str) -> str:
    return "\n".join(s["text"] for s in version.sections if s["key"] == key)


def _form(version: ReportVersion) -> dict[str, Any]:
    whole = "\n\n".join(f"{s['title']}\n{s['text']}" for s in version.sections if s["text"].strip())
    return {
        "contentType": "text/plain; charset=utf-8",
        "language": "en",
        "data": base64.b64encode(whole.encode()).decode(),
        "title": "Radiology report",
        "creation": instant(version.at),
    }


def _pdf_form(version: ReportVersion, pdf: bytes | None, url: str) -> list[dict[str, Any]]:
    form: dict[str, Any] = {
        "contentType": "application/pdf",
        "language": "en",
        "title": "Radiology report (PDF)",
        "creation": instant(version.at),
    }
    if pdf is not None:
        return [
            form
            | {
                "data": base64.b64encode(pdf).decode(),
                "size": len(pdf),
                # FHIR R4 asks for SHA-1 here (Attachment.hash); it tells copies apart, it protects nothing.
                "hash": base64.b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode(),
            }
        ]
    return [form | {"url": url}] if url else []


def _structured(version: ReportVersion, subject: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers with a RadElement id: one Observation of the set without value, a component each."""
    coded = [one for one in version.fields if one["cde"]]
    if not coded or not coded[0]["cde_set"]:
        return []
    return [
        {
            "resourceType": "Observation",
            "id": "structured",
            "status": _OBSERVATION_STATUS[status_of(version.action).fhir],
            "code": {
                "coding": [{"system": RADELEMENT, "code": coded[0]["cde_set"]}],
                "text": version.template.name if version.template else coded[0]["cde_set"],
            },
            "subject": subject,
            "issued": instant(version.at),
            "component": [
                {
                    "code": {
                        "coding": [{"system": RADELEMENT, "code": one["cde"], "display": one["label"]}],
                        "text": one["label"],
                    },
                    **_component_value(one),
                }
                for one in coded
            ],
        }
    ]


def _component_value(answer: dict[str, Any]) -> dict[str, Any]:
    if isinstance(answer["value"], int | float):
        quantity: dict[str, Any] = {"value": answer["value"]}
        if answer["unit"]:
            quantity |= {"unit": answer["unit"], "system": UCUM, "code": answer["unit"]}
        return {"valueQuantity": quantity}
    return {"valueString": answer["shown"]}


def _observation(
    version: ReportVersion, number: int, conclusion: dict[str, Any], subject: dict[str, Any]
) -> dict[str, Any]:
    """The reader's answer whether a finding is there, contained in its report."""
    code, meaning = _ANSWERS[conclusion["value"]]
    return {
        "resourceType": "Observation",
        "id": f"conclusion-{number}",
        "status": _OBSERVATION_STATUS[status_of(version.action).fhir],
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "imaging",
                        "display": "Imaging",
                    }
                ]
            }
        ],
        "code": _concept(conclusion),
        "subject": subject,
        "issued": instant(version.at),
        "valueCodeableConcept": {
            "coding": [{"system": _SYSTEMS["SCT"], "code": code, "display": meaning}],
            "text": meaning,
        },
    }
