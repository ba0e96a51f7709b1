"""Many at once: one draft, one signature, no overwritten text. Runs on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition, LostRace
from tests.worklist.making import make_study
from tests.worklist.reports.conftest import READY
from worklist.reports import services
from worklist.reports.models import Report, ReportEntry, ReportVersion

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = 6


def at_once(work: Callable[[int], object]) -> list[object]:
    """Results or errors of `work(0..N-1)`, all begun at one moment."""
    barrier = Barrier(NUMBER)

    def one(number: int) -> object:
        try:
            barrier.wait()
            return work(number)
        except (LostRace, IllegalTransition) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(NUMBER) as pool:
        return list(pool.map(one, range(NUMBER)))


def test_opening_one_study_many_times_at_once_makes_one_draft(make_user: Callable[..., User]) -> None:
    study, by = make_study(), make_user("radiologist")
    reports = at_once(lambda _: services.open_draft(study=study, by=by).pk)
    assert len(set(reports)) == 1 == Report.objects.count() == ReportEntry.objects.count()


def test_of_many_saves_of_one_version_one_holds(make_user: Callable[..., User]) -> None:
    by = make_user("radiologist")
    report = services.open_draft(study=make_study(), by=by)
    results = at_once(
        lambda n: services.save(report_id=report.pk, version=1, texts={"findings": f"Text {n}."}, by=by)
    )
    winners = [n for n, result in enumerate(results) if isinstance(result, Report)]
    assert len(winners) == 1
    report.refresh_from_db()
    assert report.version == 2 and report.sections[3]["text"] == f"Text {winners[0]}."


def test_signing_while_others_edit_signs_what_the_signer_saw(make_user: Callable[..., User]) -> None:
    by = make_user("radiologist")
    report = services.open_draft(study=make_study(), by=by)
    report = services.save(report_id=report.pk, version=1, texts={"impression": "Seen."}, by=by)

    def work(number: int) -> object:
        if number % 2:
            return services.save(report_id=report.pk, version=2, texts={"impression": "Other."}, by=by)
        return services.sign(report_id=report.pk, version=2, overrides=[], facts=READY, by=by)

    results = at_once(work)
    assert sum(isinstance(result, Report) for result in results) == 1
    signed = ReportVersion.objects.first()
    report.refresh_from_db()
    if signed is None:
        assert (report.state, report.sections[4]["text"]) == ("draft", "Other.")
    else:
        assert signed.sections[4]["text"] == report.sections[4]["text"] == "Seen."
