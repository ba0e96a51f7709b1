"""Who shall answer an alert may see its preview, even when no order names the department."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foundation.accounts.models import User
from pacs.selectors import studies_visible_to
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import services

pytestmark = pytest.mark.django_db


def test_er_staff_see_a_study_that_rang_for_them_and_no_other(make_user: Callable[..., User]) -> None:
    told, silent = make_study(), make_study()
    services.raise_for_run(run_id=make_run(told, make_model(), probability=0.93).pk)
    nurse = make_user("er_staff", department="ER")
    assert list(studies_visible_to(nurse)) == [told]
    assert silent not in studies_visible_to(nurse)


def test_a_department_does_not_see_what_rang_for_another(make_user: Callable[..., User]) -> None:
    study = make_study()
    make_order(study, department="ER North")
    services.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
    assert list(studies_visible_to(make_user("er_staff", department="ER South"))) == []
    assert list(studies_visible_to(make_user("er_staff", department="ER North"))) == [study]


def test_an_alert_shows_nothing_to_an_account_without_a_role(make_user: Callable[..., User]) -> None:
    study = make_study()
    services.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
    assert list(studies_visible_to(make_user())) == []
