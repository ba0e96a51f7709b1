"""The radiologist's call log: written once, by a radiologist, and asked for at signing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import HEMORRHAGE, make_model, make_order, make_run, make_study
from worklist import flows
from worklist.alerts import services
from worklist.alerts.models import Communication

pytestmark = pytest.mark.django_db

PATH = "/api/communications/"


@pytest.fixture
def reader(make_user) -> Caller:
    return Caller(make_user("radiologist", username="anna", display_name="Dr. Anna"))


def _call(study, **said):
    return {
        "study_instance_uid": study.study_instance_uid,
        "subject": "Subdural hematoma on the left",
        "told_name": "Dr. Berg",
        "told_role": "ER physician",
        "method": "phone",
        "read_back": True,
        "finding_code": HEMORRHAGE,
        "told_at": timezone.now().isoformat(),
    } | said


def test_a_call_is_written_down_with_who_when_to_whom_how_and_read_back(reader):
    study = make_study()
    made = reader.post(PATH, _call(study), status=201)
    assert_matches(made, "CommunicationDocument")
    assert (made["caller"]["username"], made["told_name"], made["category"]) == ("anna", "Dr. Berg", 1)
    (listed,) = reader.get(PATH, study_instance_uid=study.study_instance_uid)["results"]
    assert listed == made
    event = AuditEvent.objects.get(detail__what="result communicated")
    assert (event.study_instance_uid, event.detail["read_back"]) == (study.study_instance_uid, True)
    assert "Berg" not in str(event.detail)


def test_the_same_call_sent_twice_is_one_entry(reader):
    call = _call(make_study())
    assert reader.post(PATH, call, status=201)["id"] == reader.post(PATH, call, status=201)["id"]
    assert Communication.objects.count() == 1


def test_it_stands_with_the_alert_that_it_is_about(reader):
    study = make_study()
    (alert,) = services.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
    assert reader.post(PATH, _call(study), status=201)["alert"] == str(alert.pk)
    alert.refresh_from_db()
    assert alert.state == "raised", "a call to one person is no answer of the department"


@pytest.mark.parametrize(("said", "counts"), [({}, True), ({"read_back": False}, False)])
def test_only_what_was_read_back_counts_as_communicated_at_signing(reader, said, counts):
    study = make_study()
    reader.post(PATH, _call(study, **said), status=201)
    assert (HEMORRHAGE in flows.signing_facts([study.pk])[study.pk].communicated) is counts


def test_a_call_without_a_code_communicates_no_finding(reader):
    study = make_study()
    reader.post(PATH, _call(study, finding_code=""), status=201)
    assert flows.signing_facts([study.pk])[study.pk].communicated == frozenset()


@pytest.mark.parametrize(
    "said",
    [
        {"told_name": " "},
        {"subject": ""},
        {"category": 4},
        {"method": "pigeon"},
        {"told_at": (timezone.now() + timedelta(hours=1)).isoformat()},
    ],
)
def test_a_call_names_somebody_and_something_and_is_not_of_tomorrow(reader, said):
    reader.post(PATH, _call(make_study(), **said), status=400)
    assert not Communication.objects.exists()


def test_only_radiologists_write_and_er_staff_read_what_concerns_their_patients(reader, make_user):
    mine, other = make_study(), make_study()
    make_order(mine)
    make_order(other, department="Children's ER")
    for study in (mine, other):
        reader.post(PATH, _call(study), status=201)
    nurse = Caller(make_user("er_staff", department="ER"))
    nurse.post(PATH, _call(mine), status=403)
    assert [c["study_instance_uid"] for c in nurse.get(PATH)["results"]] == [mine.study_instance_uid]
    Caller(make_user("pacs_administrator")).get(PATH, status=403)


def test_the_list_needs_the_same_number_of_queries_for_more_rows(reader, django_assert_max_num_queries):
    for _ in range(6):
        reader.post(PATH, _call(make_study()), status=201)
    with django_assert_max_num_queries(9):
        assert reader.get(PATH)["count"] == 6
