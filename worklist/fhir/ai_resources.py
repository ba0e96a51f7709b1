"""What AI says as FHIR R4 resources, as IHE AI Results asks: Observation, DiagnosticReport (partial), Task.

Pure functions from rows to JSON. Everything is unverified and says so: an Observation is *preliminary* ("may be
incomplete or unverified"), a report *partial*, never what a reader signs. Nothing found has the value
*undetermined* and a text; it is not a negative result, and no reader of the value alone may take it for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from triage.models import Finding, RunState, TriageRun
from worklist.fhir.resources import (
    DICOM_UID,
    accession_identifier,
    coded,
    instant,
    patient_identifier,
    study_day,
)

OBSERVATION_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM: Final = "http://unitsofmeasure.org"
OWN: Final = "99FIRSTREAD"
#: A run in FHIR's words (value set task-status).
TASK_STATUS: Final = {
    RunState.WAITING: "requested",
    RunState.RUNNING: "in-progress",
    RunState.DONE: "completed",
    RunState.FAILED: "failed",
    RunState.NOT_ANALYSED: "rejected",
    RunState.STALE: "cancelled",
}
_POSSIBLE: Final = ("371930009", "SCT", "Possible")
_UNDETERMINED: Final = ("373068000", "SCT", "Undetermined")
_SIDES: Final = {
    "left": ("7771000", "SCT", "Left"),
    "right": ("24028007", "SCT", "Right"),
    "both": ("51440002", "SCT", "Bilateral"),
    "midline": ("260528009", "SCT", "Median"),
}
_COMPARISONS: Final = {
    "new": ("new", OWN, "New since the prior"),
    "known": ("known", OWN, "Known, not grown"),
    "grown": ("grown", OWN, "Known, grown"),
    "not_compared": ("not-compared", OWN, "Could not be compared"),
}
# Of a classifier, which says neither where nor how much.
_KNOWN_BY_PRESENCE: Final = ("known-by-presence", OWN, "Told of the prior too, place and size not compared")


def observation(finding: Finding) -> dict[str, Any]:
    """A finding of a run, with its model; `run` with study, patient, model and series must be at hand."""
    run = finding.run
    present = finding.presence == Finding.Presence.PRESENT
    model = f"{run.model.name} {run.model.version}"
    told = f"possible, by {model}" if present else f"nothing found by {model}; not a negative result"
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": str(finding.pk),
        "contained": [device(run)],
        "identifier": [_uid(finding.tracking_uid)],
        "partOf": [{"reference": f"Task/{run.pk}"}],
        "status": "preliminary",
        "category": [_category()],
        "code": coded(finding.code, finding.scheme, finding.meaning),
        "subject": _subject(run),
        "effectiveDateTime": study_day(run.study),
        "issued": _when(run),
        "device": {"reference": "#model", "display": model},
        "valueCodeableConcept": coded(*(_POSSIBLE if present else _UNDETERMINED), text=told),
        "interpretation": [{"text": told}],
        "method": {"text": finding.probability_method} if finding.probability_method else "",
        "derivedFrom": _derived_from(run, finding),
        "component": _components(finding, present),
    }
    return _without_empty(resource)


def report(run: TriageRun) -> dict[str, Any]:
    """The result of a run that is done: partial, with its findings as results."""
    findings = list(run.findings.all())
    model = f"{run.model.name} {run.model.version}"
    possible = [f.meaning.lower() for f in findings if f.presence == Finding.Presence.PRESENT]
    told = (
        f"possible {', '.join(dict.fromkeys(possible))}"
        if possible
        else "nothing found; not a negative result"
    )
    accession = run.study.accession_number
    documents = [uid for uid in (run.sr_sop_instance_uid, run.seg_sop_instance_uid) if uid]
    resource: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": f"ai-{run.pk}",
        "contained": [device(run)],
        "identifier": [*map(_uid, documents), *([accession_identifier(accession)] if accession else [])],
        "status": "partial",
        "category": [coded("RAD", "v2-0074", "Radiology")],
        "code": coded(
            "18748-4", "LN", "Diagnostic imaging study", text="AI result, not verified by a reader"
        ),
        "subject": _subject(run),
        "effectiveDateTime": study_day(run.study),
        "issued": _when(run),
        "performer": [],
        "result": [{"reference": f"Observation/{finding.pk}"} for finding in findings],
        "imagingStudy": [_imaging_study(run)],
        "conclusion": f"AI, not for diagnosis. {model}: {told}.",
        "basedOn": [{"type": "ServiceRequest", "identifier": accession_identifier(accession)}]
        if accession
        else [],
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/workflow-supportingInfo",
                "valueReference": {"reference": f"Task/{run.pk}", "display": model},
            }
        ],
    }
    return _without_empty(resource)


def task(run: TriageRun) -> dict[str, Any]:
    """A run as the work that was asked of a model, and why there is no result where there is none."""
    done = run.state == RunState.DONE
    reason = {"text": run.reason} if run.reason else ""
    resource: dict[str, Any] = {
        "resourceType": "Task",
        "id": str(run.pk),
        "contained": [device(run)],
        "status": TASK_STATUS[RunState(run.state)],
        "statusReason": reason,
        "intent": "order",
        "code": {"text": f"Look for findings with {run.model.name} {run.model.version}"},
        "description": "AI triage of one series; not a diagnosis",
        "focus": _imaging_study(run),
        "for": _subject(run),
        "authoredOn": instant(run.created_at),
        "lastModified": instant(run.finished_at or run.started_at or run.created_at),
        "executionPeriod": _period(run),
        "owner": {"reference": "#model"},
        "input": _inputs(run),
        "output": _outputs(run) if done else [],
    }
    return _without_empty(resource)


def device(run: TriageRun) -> dict[str, Any]:
    """The model that was asked: name, version, and SHA-256 of the weights that answered."""
    weights = run.weights_sha256 or run.model.weights_sha256
    return {
        "resourceType": "Device",
        "id": "model",
        "identifier": [{"type": {"text": "SHA-256 of the weights"}, "value": weights}],
        "deviceName": [{"name": run.model.name, "type": "model-name"}],
        "type": {"text": "AI model"},
        "version": [
            {"type": {"text": "model"}, "value": run.model.version},
            {"type": {"text": "SHA-256 of the weights"}, "value": weights},
        ],
        "note": [{"text": "Not for diagnosis. What it does not find may be there."}],
    }


def searchset(found: Sequence[dict[str, Any]], base: str, asked: str) -> dict[str, Any]:
    """A Bundle of these resources; `base` is the endpoint's absolute address, ending in a slash."""
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": [{"relation": "self", "url": asked}],
    }
    if found:
        bundle["entry"] = [
            {
                "fullUrl": f"{base}{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in found
        ]
    return bundle


def _components(finding: Finding, present: bool) -> list[dict[str, Any]]:
    method = f" ({finding.probability_method})" if finding.probability_method else ""
    components = [
        _quantity(
            coded("122157", "DCM", "Probability", text=f"Probability{method}"), finding.probability, "1", 4
        )
    ]
    if not present:
        return components
    for name, value, unit, digits in (
        (coded("118565006", "SCT", "Volume"), finding.volume_ml, "mL", 2),
        (coded("81827009", "SCT", "Diameter", text="Largest diameter"), finding.largest_diameter_mm, "mm", 1),
        (
            coded("midline-shift", OWN, "Midline shift, positive to the left"),
            finding.midline_shift_mm,
            "mm",
            1,
        ),
        (
            coded("midline-shift-uncertainty", OWN, "Midline shift, half width of its 95 % interval"),
            finding.midline_shift_uncertainty_mm,
            "mm",
            1,
        ),
        (coded("growth", OWN, "Volume change since the prior"), finding.growth_ml, "mL", 2),
    ):
        if value is not None:
            components.append(_quantity(name, value, unit, digits))
    if finding.side in _SIDES:
        components.append(
            {
                "code": coded("272741003", "SCT", "Laterality"),
                "valueCodeableConcept": coded(*_SIDES[finding.side]),
            }
        )
    if finding.subtype:
        components.append(
            {
                "code": coded("subtype", OWN, "Subtype"),
                "valueCodeableConcept": {"text": finding.subtype},
            }
        )
    if finding.comparison in _COMPARISONS:
        unmeasured = finding.comparison == "known" and finding.volume_ml is None
        compared = _KNOWN_BY_PRESENCE if unmeasured else _COMPARISONS[finding.comparison]
        components.append(
            {
                "code": coded("comparison", OWN, "Compared with the prior"),
                "valueCodeableConcept": coded(*compared),
            }
        )
    return components


def _quantity(code: dict[str, Any], value: float, unit: str, digits: int) -> dict[str, Any]:
    quantity: dict[str, Any] = {"value": round(value, digits), "system": UCUM, "code": unit}
    return {"code": code, "valueQuantity": quantity | ({} if unit == "1" else {"unit": unit})}


def _derived_from(run: TriageRun, finding: Finding) -> list[dict[str, Any]]:
    """The study, and the Segmentation in which the finding is drawn."""
    sources = [_imaging_study(run)]
    if run.seg_sop_instance_uid and finding.segment_number is not None:
        sources.append(
            {
                "type": "DocumentReference",
                "identifier": _uid(run.seg_sop_instance_uid),
                "display": f"DICOM Segmentation, segment {finding.segment_number}",
            }
        )
    return sources


def _inputs(run: TriageRun) -> list[dict[str, Any]]:
    if run.series is None:
        return []
    return [
        {
            "type": {"text": "DICOM series"},
            "valueIdentifier": _uid(run.series.series_instance_uid),
        },
        {"type": {"text": "SHA-256 over the instances that are read"}, "valueString": run.input_hash},
    ]


def _outputs(run: TriageRun) -> list[dict[str, Any]]:
    references = [f"DiagnosticReport/ai-{run.pk}", *(f"Observation/{f.pk}" for f in run.findings.all())]
    return [
        {"type": {"text": reference.split("/")[0]}, "valueReference": {"reference": reference}}
        for reference in references
    ]


def _period(run: TriageRun) -> dict[str, str]:
    period = {"start": run.started_at, "end": run.finished_at if run.started_at else None}
    return {name: instant(at) for name, at in period.items() if at is not None}


def _when(run: TriageRun) -> str:
    return instant(run.finished_at or run.created_at)


def _subject(run: TriageRun) -> dict[str, Any]:
    patient = run.study.patient
    return {
        "type": "Patient",
        "identifier": patient_identifier(patient.patient_id, patient.issuer_of_patient_id),
        "display": patient.patient_name,
    }


def _imaging_study(run: TriageRun) -> dict[str, Any]:
    return {"type": "ImagingStudy", "identifier": _uid(run.study.study_instance_uid)}


def _uid(uid: str) -> dict[str, Any]:
    return {"system": DICOM_UID, "value": f"urn:oid:{uid}"}


def _category() -> dict[str, Any]:
    return {"coding": [{"system": OBSERVATION_CATEGORY, "code": "imaging", "display": "Imaging"}]}


def _without_empty(resource: dict[str, Any]) -> dict[str, Any]:
    """FHIR has no empty values: what is not there is left out."""
    return {name: value for name, value in resource.items() if value not in ([], {}, "")}
