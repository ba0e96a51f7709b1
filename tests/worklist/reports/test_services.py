"""Drafts, decisions, versions and signatures in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from foundation.transitions import IllegalTransition, LostRace
from tests.worklist.making import make_model, make_run, make_study
from tests.worklist.reports.conftest import READY, Case
from triage.models import TriageRun
from worklist.live.models import Change
from worklist.reports import services
from worklist.reports.checks import Facts, Override
from worklist.reports.editing import Verdict
from worklist.reports.models import FindingDecision, Report, ReportEntry, ReportVersion

pytestmark = pytest.mark.django_db


def accept(case: Case) -> Report:
    return services.decide(
        report_id=case.report.pk,
        finding_id=case.finding.pk,
        decision=Verdict.ACCEPTED,
        version=case.report.version,
        by=case.reader,
    )


def sign(case: Case, report: Report, facts: Facts = READY, overrides: list[Override] | None = None) -> Report:
    return services.sign(
        report_id=report.pk, version=report.version, overrides=overrides or [], facts=facts, by=case.reader
    )


def test_a_draft_is_made_once_and_holds_order_and_suggestions(case: Case) -> None:
    again = services.open_draft(study=case.study, by=case.reader)
    assert again.pk == case.report.pk and Report.objects.count() == 1
    assert case.text("history") == "Fall, headache"
    assert case.text("findings") == case.text("impression") == ""
    assert case.report.sections[3]["suggestions"][0]["text"].startswith("Possible intracranial hemorrhage")
    assert case.report.conclusions[0]["value"] == ""
    assert [e.action for e in case.report.entries.all()] == ["drafted"]


def test_shadow_models_suggest_nothing_and_oblige_nobody(make_user: Callable[..., User]) -> None:
    study = make_study()
    make_run(study, make_model("shadow", finding_code="36118008"), probability=0.9)
    make_run(study, make_model("draft", finding_code="59282003"), probability=0.9)
    report = services.open_draft(study=study, by=make_user("radiologist"))
    assert all(not section["suggestions"] for section in report.sections)
    assert [(c["code"], c["required"]) for c in report.conclusions] == [("36118008", False)]


def test_a_model_that_refused_the_study_asks_nothing_of_the_reader(make_user: Callable[..., User]) -> None:
    study = make_study()
    make_run(study, make_model(), state="not_analysed", reason="lateral")
    assert services.open_draft(study=study, by=make_user("radiologist")).conclusions == []


def test_deciding_writes_sentence_and_conclusion_and_is_audited(case: Case) -> None:
    report = accept(case)
    assert case.text("impression") == "Intracranial hemorrhage, about 31 mL, left."
    assert report.conclusions[0]["value"] == "present"
    assert FindingDecision.objects.get().decision == "accepted"
    trail = AuditEvent.objects.filter(study_instance_uid=case.study.study_instance_uid).order_by("pk")
    assert [event.detail["what"] for event in trail] == ["report drafted", "finding decided"]
    report = services.decide(
        report_id=report.pk, finding_id=case.finding.pk, decision=None, version=report.version, by=case.reader
    )
    assert case.text("impression") == "" and report.conclusions[0]["value"] == ""
    assert not FindingDecision.objects.exists()


def test_an_absent_finding_cannot_be_decided(case: Case) -> None:
    negative = make_run(case.study, make_model(name="other"), probability=0.1)
    with pytest.raises(ValidationError, match="no possible finding"):
        services.decide(
            report_id=case.report.pk,
            finding_id=negative.findings.get().pk,
            decision=Verdict.REJECTED,
            version=case.report.version,
            by=case.reader,
        )


def test_taking_a_sentence_of_a_rejected_finding_accepts_the_finding(case: Case) -> None:
    report = services.decide(
        report_id=case.report.pk,
        finding_id=case.finding.pk,
        decision=Verdict.REJECTED,
        version=1,
        by=case.reader,
    )
    assert report.conclusions[0]["value"] == "absent"
    report = services.set_suggestion(
        report_id=report.pk,
        suggestion_id=f"impression-{case.finding.pk}",
        state="accepted",
        version=report.version,
        by=case.reader,
    )
    assert FindingDecision.objects.get().decision == "accepted"
    assert report.conclusions[0]["value"] == "present"


def test_the_second_of_two_editors_is_refused_and_overwrites_nothing(case: Case) -> None:
    first = services.save(report_id=case.report.pk, version=1, texts={"findings": "Mine."}, by=case.reader)
    with pytest.raises(LostRace):
        services.save(report_id=case.report.pk, version=1, texts={"findings": "Theirs."}, by=case.reader)
    with pytest.raises(LostRace):
        services.sign(report_id=case.report.pk, version=1, overrides=[], facts=READY, by=case.reader)
    assert case.text("findings") == "Mine." and case.report.version == first.version == 2


def test_unknown_sections_and_endless_text_are_refused_and_control_characters_dropped(case: Case) -> None:
    for texts in ({"secret": "x"}, {"findings": "x" * 20_001}):
        with pytest.raises(ValidationError):
            services.save(report_id=case.report.pk, version=1, texts=texts, by=case.reader)
    services.save(report_id=case.report.pk, version=1, texts={"findings": "a\x00\r\nb\x1b"}, by=case.reader)
    assert case.text("findings") == "a\nb"


def test_a_late_result_adds_a_suggestion_and_disturbs_no_editor(case: Case) -> None:
    services.save(report_id=case.report.pk, version=1, texts={"findings": "Mine."}, by=case.reader)
    make_run(case.study, make_model(name="second"), probability=0.7)
    refreshed = services.refresh_suggestions(study_id=case.study.pk)
    assert refreshed is not None and refreshed.version == 3
    assert len(refreshed.sections[3]["suggestions"]) == 2 and case.text("findings") == "Mine."
    saved = services.save(
        report_id=case.report.pk, version=2, texts={"findings": "Mine too."}, by=case.reader
    )
    assert len(saved.sections[3]["suggestions"]) == 2 and case.text("findings") == "Mine too."
    assert services.refresh_suggestions(study_id=case.study.pk).version == saved.version  # type: ignore[union-attr]


def test_a_late_positive_result_keeps_a_report_from_being_signed_unread(case: Case) -> None:
    report = accept(case)
    make_run(case.study, make_model(name="second"), probability=0.7)
    services.refresh_suggestions(study_id=case.study.pk)
    with pytest.raises(services.ChecksOpen) as refused:
        sign(case, report)
    assert "undecided_finding" in [c.code for c in refused.value.checks]


def test_results_that_no_event_brought_are_found_by_the_sweep(case: Case) -> None:
    run = make_run(case.study, make_model(name="second"), probability=0.7)
    Report.objects.update(results_seen_at=timezone.now() - timedelta(minutes=5))
    assert services.refresh_behind() == 1
    assert len(Report.objects.get().sections[3]["suggestions"]) == 2
    TriageRun.objects.filter(pk__in=[run.pk, case.run.pk]).update(
        finished_at=timezone.now() - timedelta(minutes=1)
    )
    assert services.refresh_behind() == 0


def test_a_replaced_result_takes_its_open_suggestions_along_but_no_words(case: Case) -> None:
    report = services.set_suggestion(
        report_id=case.report.pk,
        suggestion_id=f"impression-{case.finding.pk}",
        state="accepted",
        version=1,
        by=case.reader,
    )
    TriageRun.objects.filter(pk=case.run.pk).update(state="stale")
    make_run(case.study, case.model, probability=0.1)
    report = services.refresh_suggestions(study_id=case.study.pk) or report
    kept = {s["key"]: [x["state"] for x in s["suggestions"]] for s in report.sections}
    assert kept["findings"] == [] and kept["impression"] == ["accepted"]
    assert case.text("impression") == "Intracranial hemorrhage, about 31 mL, left."


def test_signing_keeps_the_text_without_suggestions_for_ever(
    case: Case, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    heard: list[events.ReportSigned] = []
    events.subscribe(events.ReportSigned, heard.append)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            report = sign(case, accept(case))
    finally:
        events._handlers[events.ReportSigned].remove(heard.append)
    assert heard == [events.ReportSigned(report_id=report.pk)]
    assert (report.state, report.signed_by) == ("final", case.reader)
    kept = ReportVersion.objects.get()
    assert (kept.version, kept.action, kept.by) == (report.version, "signed", case.reader)
    assert [set(section) for section in kept.sections] == [{"key", "title", "text"}] * 5
    assert kept.decisions == {str(case.finding.pk): "accepted"}
    assert Change.objects.filter(topic="reports", key=str(report.pk), version=report.version).exists()
    with pytest.raises(IllegalTransition):
        services.save(report_id=report.pk, version=report.version, texts={"findings": "x"}, by=case.reader)
    with pytest.raises(IllegalTransition):
        sign(case, report)


def test_what_was_never_accepted_is_not_in_the_signed_text(case: Case) -> None:
    report = services.decide(
        report_id=case.report.pk,
        finding_id=case.finding.pk,
        decision=Verdict.REJECTED,
        version=1,
        by=case.reader,
    )
    report = services.save(
        report_id=report.pk, version=report.version, texts={"impression": "Normal."}, by=case.reader
    )
    sign(case, report)
    words = " ".join(section["text"] for section in ReportVersion.objects.get().sections)
    assert "emorrhage" not in words and "Suggestion" not in words


def test_open_checks_stop_the_signature_and_a_reason_is_kept_with_it(case: Case) -> None:
    report = accept(case)
    with pytest.raises(services.ChecksOpen):
        sign(case, report, Facts())
    report.refresh_from_db()
    assert report.state == "draft" and not ReportVersion.objects.exists()
    reasons = [
        Override("images_not_opened", "Read on another workstation"),
        Override("critical_not_communicated", "Phoned Dr. B 14:32, read back"),
        Override("empty_impression", "not asked, not kept"),
    ]
    sign(case, report, Facts(), reasons)
    kept = ReportVersion.objects.get().overrides
    assert [(one["code"], one["reason"]) for one in kept] == [
        ("images_not_opened", "Read on another workstation"),
        ("critical_not_communicated", "Phoned Dr. B 14:32, read back"),
    ]
    assert kept[0]["text"].startswith("The images of this study were never opened")
    signed = AuditEvent.objects.get(detail__what="report signed")
    assert "Phoned" not in str(signed.detail)


def test_an_addendum_adds_and_a_changed_conclusion_corrects(case: Case) -> None:
    report = sign(case, accept(case))
    before = ReportVersion.objects.get().sections
    report = services.add_addendum(report_id=report.pk, text="Also a fracture.", by=case.reader)
    assert report.state == "addendum"
    assert report.sections[-1]["key"] == "addendum-1" and "Dr. Ada Reader" in report.sections[-1]["title"]
    report = services.add_addendum(
        report_id=report.pk, text="No bleed after all.", conclusions={"1386000": "absent"}, by=case.reader
    )
    assert report.state == "corrected" and report.sections[-1]["key"] == "addendum-2"
    versions = list(ReportVersion.objects.order_by("version"))
    assert [v.action for v in versions] == ["signed", "addendum", "corrected"]
    assert all(v.sections[:5] == before for v in versions)
    with pytest.raises(ValidationError):
        services.add_addendum(report_id=report.pk, text="  \x00 ", by=case.reader)


def test_a_draft_takes_no_addendum(case: Case) -> None:
    with pytest.raises(IllegalTransition):
        services.add_addendum(report_id=case.report.pk, text="x", by=case.reader)


def test_a_result_after_signing_is_told_in_the_history_and_changes_nothing(case: Case) -> None:
    report = sign(case, accept(case))
    late = make_run(case.study, make_model(name="late"), probability=0.9)
    for _ in range(2):
        services.refresh_suggestions(study_id=case.study.pk)
    report.refresh_from_db()
    assert report.version == ReportVersion.objects.get().version
    entry = ReportEntry.objects.get(action="ai_result_after_signing")
    assert entry.run == late and entry.by is None


def test_the_database_knows_no_signed_report_without_a_signer(case: Case) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.filter(pk=case.report.pk).update(state="final")
