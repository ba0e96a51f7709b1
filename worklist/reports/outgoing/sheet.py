"""One signed version as plain values, from which every form that leaves the house is made.

Read once, so that HL7, PDF and FHIR say the same of the same version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from pacs.models import Order, Patient, Study
from triage.models import ModelState, RunState, TriageRun
from worklist.reports.models import ReportEntry, ReportVersion
from worklist.reports.outgoing.status import Status, status_of


@dataclass(frozen=True)
class Signature:
    """Who signed what, and when.

    Attributes:
        action: as in ReportVersion.action.
    """

    number: int
    action: str
    name: str
    username: str
    at: datetime


@dataclass(frozen=True)
class OrderFacts:
    """What the order says; dates aware."""

    location_class: str
    location: str
    department: str
    reason_for_exam: str
    procedure: str


@dataclass(frozen=True)
class ReportSheet:
    """A signed version with everything that its readers need to know.

    Attributes:
        patient_name: PN as received; birth date, study date and time as DICOM strings.
        sections: (key, title, text) with text.
        signatures: of this version and all before it, oldest first.
        conclusions: as in ReportVersion.conclusions.
        ai_models: (name, version) of live models with a result when this was signed.
        differs_from_preliminary: titles of sections that the final signature changed.
        key: names the version of this report at this site for ever.
    """

    report_id: int
    key: str
    status: Status
    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    patient_age: str
    study_instance_uid: str
    study_date: str
    study_time: str
    study_description: str
    accession_number: str
    modalities: tuple[str, ...]
    institution: str
    referring_physician: str
    order: OrderFacts | None
    sections: tuple[tuple[str, str, str], ...]
    conclusions: tuple[dict[str, str], ...]
    signatures: tuple[Signature, ...]
    ai_models: tuple[tuple[str, str], ...]
    differs_from_preliminary: tuple[str, ...] = ()

    @property
    def last(self) -> Signature:
        """The signature of this version."""
        return self.signatures[-1]

    def text(self, key: str) -> str:
        """What a section says; "" when it says nothing."""
        return "\n".join(text for one, _, text in self.sections if one == key)


def sheet_of(version: ReportVersion) -> ReportSheet:
    """Reads what is known of one signed version."""
    report = version.report
    study: Study = report.study
    patient: Patient = study.patient
    order: Order | None = getattr(study, "order", None)
    signed = list(
        report.versions.filter(version__lte=version.version).select_related("by").order_by("version")
    )
    return ReportSheet(
        report_id=report.pk,
        key=f"{report.pk}.{version.version}",
        status=status_of(version.action),
        patient_id=patient.patient_id,
        issuer_of_patient_id=patient.issuer_of_patient_id,
        patient_name=patient.patient_name,
        patient_birth_date=patient.patient_birth_date,
        patient_sex=patient.patient_sex,
        patient_age=study.patient_age,
        study_instance_uid=study.study_instance_uid,
        study_date=study.study_date,
        study_time=study.study_time,
        study_description=study.study_description,
        accession_number=study.accession_number or (order.accession_number if order else ""),
        modalities=tuple(name for name in study.modalities.split("\\") if name),
        institution=study.institution_name or settings.SITE_NAME,
        referring_physician=study.referring_physician_name,
        order=None
        if order is None
        else OrderFacts(
            location_class=order.location_class,
            location=order.location,
            department=order.department,
            reason_for_exam=order.reason_for_exam,
            procedure=order.procedure,
        ),
        sections=tuple((s["key"], s["title"], s["text"]) for s in version.sections if s["text"].strip()),
        conclusions=tuple(version.conclusions),
        signatures=_signatures(signed),
        ai_models=_ai_models(study.pk, version.at),
        differs_from_preliminary=_differences(signed),
    )


def _differences(versions: Sequence[ReportVersion]) -> tuple[str, ...]:
    """Titles of what the co-signature changed in the preliminary report before it."""
    cosigned = next((n for n, one in enumerate(versions) if one.action == ReportEntry.Action.COSIGNED), None)
    if not cosigned:
        return ()
    before = {s["key"]: s["text"].strip() for s in versions[cosigned - 1].sections}
    after = versions[cosigned].sections
    return tuple(s["title"] for s in after if s["text"].strip() != before.get(s["key"], ""))


def _signatures(versions: Sequence[ReportVersion]) -> tuple[Signature, ...]:
    return tuple(
        Signature(
            number=number,
            action=one.action,
            name=one.by.display_name or one.by.username,
            username=one.by.username,
            at=one.at,
        )
        for number, one in enumerate(versions, start=1)
    )


def _ai_models(study_id: int, at: datetime) -> tuple[tuple[str, str], ...]:
    """Live models whose result was there when the version was signed, each once."""
    runs = TriageRun.objects.filter(
        study_id=study_id, model_state=ModelState.LIVE, state=RunState.DONE, finished_at__lte=at
    ).order_by("model__name", "model__version")
    return tuple(dict.fromkeys(runs.values_list("model__name", "model__version")))
