"""A model with several findings: each ranks, rings and is compared by its own thresholds, the worst one leads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.worklist.making import make_model, make_order, make_run, make_study
from triage.models import Finding, TriageRun
from worklist.alerts import services as alerts
from worklist.quality import concordance as rules
from worklist.queue import ranking
from worklist.reports.facts import ai_facts

EFFUSION = "60046008"


@pytest.fixture
def run(db: None) -> TriageRun:
    """One critical finding below its own threshold for alerts, one urgent finding that is sure."""
    study = make_study(received_at=timezone.now() - timedelta(minutes=5))
    make_order(study, priority="routine")
    run = make_run(study, make_model(rank_threshold=0.99, alert_threshold=0.1), probability=0.6)
    run.findings.update(criticality="critical", rank_threshold=0.5, alert_threshold=0.7)
    Finding.objects.create(
        run=run,
        tracking_uid="2.25.99.1",
        code=EFFUSION,
        scheme="SCT",
        meaning="Pleural effusion",
        presence="present",
        probability=0.97,
        criticality="urgent",
        rank_threshold=0.9,
        alert_threshold=0.9,
    )
    return run


def test_the_study_ranks_by_its_worst_finding_and_tells_each(run: TriageRun) -> None:
    item = ranking.place(study_id=run.study_id, cause="test")
    assert item.due_at == run.finished_at + timedelta(minutes=10)  # the critical one, though less probable
    flags = [reason["text"] for reason in item.reasons if reason["code"] == "ai_finding"]
    assert len(flags) == 2 and "pleural effusion 0.97" in flags[0]


def test_a_finding_below_its_own_threshold_neither_ranks_nor_counts_as_known(run: TriageRun) -> None:
    run.findings.exclude(code=EFFUSION).update(rank_threshold=0.7)
    item = ranking.place(study_id=run.study_id, cause="test")
    assert [r["code"] for r in item.reasons].count("ai_finding") == 1
    assert item.due_at > run.finished_at + timedelta(minutes=10)


def test_each_finding_rings_by_its_own_threshold_whatever_the_model_says_today(run: TriageRun) -> None:
    assert alerts.raise_for_run(run_id=run.pk) == [] and alerts.raise_missing() == 0
    run.findings.exclude(code=EFFUSION).update(alert_threshold=0.55)
    assert alerts.raise_missing() == 1
    assert alerts.raise_for_run(run_id=run.pk) == []


def test_only_codes_that_were_critical_at_the_time_must_be_communicated(run: TriageRun) -> None:
    facts = ai_facts(run.study_id)
    assert facts.critical_codes == {"1386000"}
    assert {finding.code for finding in facts.findings} == {"1386000", EFFUSION}


@pytest.mark.parametrize(
    ("compared", "reader", "agreement"),
    [
        ([("positive", "concordant")], "positive", "concordant"),
        ([("positive", "concordant"), ("negative", "discordant")], "positive", "discordant"),
        ([("negative", "concordant"), ("negative", "concordant")], "negative", "concordant"),
        ([("negative", "concordant"), ("not_stated", "not_comparable")], "not_stated", "concordant"),
        ([("uncertain", "not_comparable"), ("negative", "concordant")], "uncertain", "concordant"),
        ([("not_stated", "not_comparable")], "not_stated", "not_comparable"),
    ],
)
def test_one_disagreement_makes_a_run_discordant(
    compared: list[tuple[str, str]], reader: str, agreement: str
) -> None:
    assert rules.together(compared) == (reader, agreement)
