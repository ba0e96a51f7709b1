"""Preliminary, final, co-signed, added to, corrected, amended; nothing is ever unsigned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from hypothesis import given
from hypothesis import strategies as st

from foundation.accounts.models import User, granting, with_implied
from foundation.transitions import IllegalTransition, LostRace
from tests.worklist.making import make_model, make_run, make_study
from tests.worklist.reports.conftest import READY
from worklist.api.documents import impression_of
from worklist.queue import ranking
from worklist.queue.models import WorklistItem
from worklist.reports import documents, services
from worklist.reports.models import (
    FINAL_REPORT_STATES,
    SIGNED_REPORT_STATES,
    WRITABLE_REPORT_STATES,
    Report,
    ReportEntry,
    ReportState,
    ReportVersion,
)
from worklist.reports.outgoing import sheet
from worklist.reports.outgoing.status import status_of
from worklist.reports.selectors import latest_versions
from worklist.reports.states import REPORT

EVENTS = sorted({event for _, event in REPORT.table})


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_no_way_leads_back_from_a_signature(events: list[str]) -> None:
    state, signed, final = ReportState.DRAFT.value, False, False
    for event in events:
        try:
            state = REPORT.target(state, event)
        except IllegalTransition:
            continue
        signed |= event.startswith("sign")
        final |= event == "sign"
        assert (state in SIGNED_REPORT_STATES) == signed
        assert (state in FINAL_REPORT_STATES) == final
        assert (state in WRITABLE_REPORT_STATES) == (not final)


def test_each_signature_has_its_word_in_every_standard() -> None:
    signatures = [a for a in ReportEntry.Action if a.value not in ("drafted", "ai_result_after_signing")]
    said = {
        action.value: (status_of(action.value).fhir, status_of(action.value).hl7) for action in signatures
    }
    assert said == {
        "preliminary": ("preliminary", "P"),
        "signed": ("final", "F"),
        "cosigned": ("final", "F"),
        "addendum": ("appended", "C"),
        "corrected": ("corrected", "C"),
        "amended": ("amended", "C"),
    }


def test_residents_read_as_radiologists_do() -> None:
    assert with_implied(["resident"]) == {"resident", "radiologist"}
    assert with_implied(["er_staff"]) == {"er_staff"}
    assert granting("radiologist", "er_staff") == ["er_staff", "radiologist", "resident"]


@pytest.fixture
def resident(make_user: Callable[..., User]) -> User:
    return make_user("resident", username="resident", display_name="Dr. Rea Resident")


@pytest.fixture
def attending(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="attending", display_name="Dr. Ata Attending")


@pytest.fixture
def report(db: object, resident: User) -> Report:
    study = make_study()
    ranking.place(study_id=study.pk, cause="test")
    made = services.open_draft(study=study, by=resident)
    return services.save(report_id=made.pk, version=1, texts={"impression": "No fracture."}, by=resident)


def sign(report: Report, by: User, **more: Any) -> Report:
    return services.sign(
        report_id=report.pk, version=report.version, overrides=[], facts=READY, by=by, **more
    )


def actions(report: Report) -> list[str]:
    return [version.action for version in report.versions.order_by("version")]


def test_what_a_resident_signs_is_preliminary_until_an_attending_cosigns(
    report: Report, resident: User, attending: User
) -> None:
    report = sign(report, resident)
    assert (report.state, report.signed_by) == ("preliminary", resident)
    report = sign(report, attending)
    assert (report.state, report.signed_by) == ("final", attending)
    assert actions(report) == ["preliminary", "cosigned"]
    with pytest.raises(IllegalTransition):
        sign(report, attending)


def test_a_wet_read_of_an_attending_is_preliminary_when_they_ask_for_it(
    report: Report, attending: User
) -> None:
    assert sign(report, attending, preliminary=True).state == "preliminary"
    report.refresh_from_db()
    assert sign(report, attending).state == "final"


def test_work_on_a_preliminary_report_is_not_seen_until_it_is_signed(
    report: Report, resident: User, attending: User
) -> None:
    report = sign(report, resident)
    report = services.save(
        report_id=report.pk, version=report.version, texts={"impression": "Fracture of C2."}, by=attending
    )
    assert report.state == "preliminary"
    assert impression_of(report) == "No fracture."
    held = latest_versions(Report.objects.all()).get()
    assert held.action == "preliminary" and held.sections[4]["text"] == "No fracture."
    report = sign(report, attending)
    assert impression_of(report) == "Fracture of C2."
    texts = [version.sections[4]["text"] for version in report.versions.order_by("version")]
    assert texts == ["No fracture.", "Fracture of C2."]
    final = report.versions.get(action="cosigned")
    assert sheet.sheet_of(final).differs_from_preliminary == ("Impression",)


def test_the_preliminary_document_says_so_and_the_final_one_names_it(
    report: Report, resident: User, attending: User
) -> None:
    sign(report, resident)
    report.refresh_from_db()
    sign(report, attending)
    first, second = ReportVersion.objects.select_related("report__study__patient", "by").order_by("version")
    early, late = documents.document_of(first), documents.document_of(second)
    assert (early.VerificationFlag, early.PreliminaryFlag) == ("VERIFIED", "PRELIMINARY")
    assert (late.VerificationFlag, late.PreliminaryFlag) == ("VERIFIED", "FINAL")
    series = late.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == early.SOPInstanceUID


def test_a_preliminary_report_leaves_the_reading_list(
    report: Report, resident: User, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        sign(report, resident)
    assert WorklistItem.objects.get(study=report.study).state == "signed"


def test_a_result_that_comes_between_both_signatures_is_suggested_and_told(
    report: Report, resident: User
) -> None:
    sign(report, resident)
    make_run(report.study, make_model(), probability=0.93)
    services.refresh_suggestions(study_id=report.study_id)
    report.refresh_from_db()
    assert [s["state"] for s in report.sections[4]["suggestions"]] == ["open"]
    assert report.entries.filter(action="ai_result_after_signing").exists()
    assert "Possible" not in str(report.signed_sections)


@pytest.mark.parametrize("kind", ["corrected", "amended"])
def test_a_changed_report_says_why_and_keeps_what_was_signed(
    report: Report, attending: User, kind: str
) -> None:
    report = sign(report, attending)
    report = services.amend(
        report_id=report.pk,
        version=report.version,
        kind=kind,
        reason="Fracture seen on the lateral view.",
        texts={"impression": "Fracture of C2."},
        by=attending,
    )
    assert report.state == kind and impression_of(report) == "Fracture of C2."
    assert report.sections[-1]["text"] == "Fracture seen on the lateral view."
    assert report.sections[-1]["title"].startswith(
        {"corrected": "Correction 1", "amended": "Amendment 1"}[kind]
    )
    first, last = report.versions.order_by("version")
    assert first.sections[4]["text"] == "No fracture." and last.action == kind
    report = services.add_addendum(report_id=report.pk, text="Called to the ward.", by=attending)
    assert report.state == kind and report.sections[-1]["key"] == "addendum-2"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": " "}, "Say why"),
        ({"kind": "unsigned"}, "one of"),
        ({"texts": {"impression": "No fracture."}}, "Nothing was changed"),
        ({"texts": {"impression": " "}}, "would be empty"),
        ({"texts": {"secret": "x"}}, "no section"),
    ],
)
def test_a_change_without_sense_is_refused(
    report: Report, attending: User, fields: dict[str, Any], words: str
) -> None:
    report = sign(report, attending)
    asked = {"kind": "amended", "reason": "Because.", "texts": {"impression": "Other."}} | fields
    with pytest.raises(ValidationError, match=words):
        services.amend(report_id=report.pk, version=report.version, by=attending, **asked)
    assert ReportVersion.objects.count() == 1


def test_an_addendum_cannot_be_rewritten_and_two_cannot_change_one_version(
    report: Report, attending: User
) -> None:
    report = sign(report, attending)
    before = report.version
    report = services.add_addendum(report_id=report.pk, text="First.", by=attending)
    with pytest.raises(ValidationError, match="stays as it was signed"):
        services.amend(
            report_id=report.pk, version=report.version, kind="amended", reason="x",
            texts={"addendum-1": "Other."}, by=attending,
        )  # fmt: skip
    with pytest.raises(LostRace):
        services.amend(
            report_id=report.pk, version=before, kind="amended", reason="x",
            texts={"impression": "Other."}, by=attending,
        )  # fmt: skip


def test_residents_change_no_final_report_and_nobody_adds_to_a_preliminary_one(
    report: Report, resident: User, attending: User
) -> None:
    report = sign(report, resident)
    with pytest.raises(IllegalTransition):
        services.add_addendum(report_id=report.pk, text="x", by=attending)
    report = sign(report, attending)
    with pytest.raises(PermissionDenied):
        services.add_addendum(report_id=report.pk, text="x", by=resident)
    with pytest.raises(PermissionDenied):
        services.amend(
            report_id=report.pk, version=report.version, kind="amended", reason="x",
            texts={"impression": "y"}, by=resident,
        )  # fmt: skip
