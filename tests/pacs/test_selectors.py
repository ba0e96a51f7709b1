"""Who sees which study, and which studies are priors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser

from pacs.models import Study, StudyState
from pacs.orders.services import receive_order
from pacs.selectors import instance_paths, priors_of, studies_visible_to
from tests.pacs.conftest import make_dataset, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_studies(store: Callable) -> None:
    for number, (location, department) in enumerate([("er", "ER 1"), ("er", "ER 2"), ("inpatient", "W3")]):
        accession = f"ACC{number}"
        receive_order(
            accession_number=accession, patient_id="P1", location_class=location, department=department
        )
        store(make_dataset(AccessionNumber=accession))


@pytest.mark.parametrize(
    ("role", "department", "seen"),
    [
        ("radiologist", "", 3),
        ("qa_reviewer", "", 3),
        ("pacs_administrator", "", 3),
        ("service", "", 3),
        ("er_staff", "", 2),
        ("er_staff", "ER 1", 1),
        ("er_staff", "W3", 0),
    ],
)
def test_roles_see_what_they_should(
    three_studies: None, make_user: Callable, role: str, department: str, seen: int
) -> None:
    assert studies_visible_to(make_user(role, department=department)).count() == seen


def test_nobody_sees_nothing(three_studies: None, make_user: Callable) -> None:
    assert studies_visible_to(AnonymousUser()).count() == 0
    assert studies_visible_to(make_user()).count() == 0


def test_priors_are_earlier_complete_studies_of_the_same_patient(store: Callable) -> None:
    for date, patient in [("20250101", "P1"), ("20240101", "P1"), ("20270101", "P1"), ("20250101", "P2")]:
        store(make_dataset(StudyDate=date, PatientID=patient))
    store(make_dataset(StudyDate="20230101"))
    Study.objects.exclude(study_date="20230101").update(state=StudyState.COMPLETE)
    current = make_dataset()
    store(current)
    study = Study.objects.get(study_instance_uid=current.StudyInstanceUID)
    assert [prior.study_date for prior in priors_of(study)] == ["20250101", "20240101"]


def test_instances_come_in_their_order_with_their_files(store: Callable) -> None:
    store(*reversed(make_study(3)))
    found = instance_paths(Study.objects.get().series.get())
    assert [instance.instance_number for instance, _ in found] == [1, 2, 3]
    assert all(path.is_file() for _, path in found)
