"""Who may see what over DICOMweb, and that it is written down."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from pacs.models import Order
from tests.pacs.conftest import make_dataset
from tests.pacs.dicomweb.conftest import address

IMAGES = ["", "/metadata", "/frames/1", "/bulkdata/7FE00010"]
PREVIEWS = ["/rendered", "/frames/1/rendered", "/thumbnail"]
READERS = ["radiologist", "qa_reviewer", "pacs_administrator", "service"]


@pytest.fixture
def er_instance(stored):
    """An instance of a study ordered for the trauma department."""
    (instance,) = stored(make_dataset(AccessionNumber="E1"))
    Order.objects.create(
        accession_number="E1", patient_id="P1", ordered_at=timezone.now(), location_class="er",
        department="Trauma", study=instance.series.study,
    )  # fmt: skip
    return instance


def levels(instance):
    study = f"/dicom-web/studies/{instance.series.study.study_instance_uid}"
    series = f"{study}/series/{instance.series.series_instance_uid}"
    return {
        "images": [address(instance, rest) for rest in IMAGES]
        + [study, series, f"{study}/metadata", f"{series}/metadata"],
        "previews": [address(instance, rest) for rest in PREVIEWS] + [f"{study}/thumbnail", f"{series}/thumbnail"],
        "searches": ["/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances", f"{study}/series",
                     f"{study}/instances", f"{series}/instances"],
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["images", "previews", "searches"])
def test_nobody_reads_without_signing_in(kind, er_instance, client):
    for path in levels(er_instance)[kind]:
        for headers in ({}, {"HTTP_AUTHORIZATION": "Token wrong"}):
            response = client.get(path, **headers)
            assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json"), path
            assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("role", READERS)
def test_those_who_read_images_read_all_of_it(role, er_instance, ask):
    for paths in levels(er_instance).values():
        for path in paths:
            response = ask(path, role=role)
            assert response.status_code == 200, path
            assert "public" not in response["Cache-Control"]
            assert "private" in response["Cache-Control"] or response["Cache-Control"] == "no-store"


def test_er_staff_see_previews_of_their_own_patients_and_nothing_else(er_instance, stored, ask):
    (other,) = stored(make_dataset(AccessionNumber="X1", PatientID="P2"))
    mine, foreign = levels(er_instance), levels(other)
    assert {ask(path, role="er_staff").status_code for path in mine["previews"]} == {200}
    assert {ask(path, role="er_staff").status_code for path in mine["images"] + mine["searches"]} == {403}
    assert {ask(path, role="er_staff").status_code for path in foreign["previews"]} == {404}


@pytest.mark.parametrize(("department", "status"), [("Trauma", 200), ("", 200), ("Cardiology", 404)])
def test_er_staff_of_another_department_do_not_see_the_patient(
    department, status, er_instance, make_user, client
):
    client.force_login(make_user("er_staff", department=department))
    for path in levels(er_instance)["previews"]:
        assert client.get(path).status_code == status


def test_an_account_without_a_role_or_switched_off_reads_nothing(er_instance, make_user, client):
    client.force_login(make_user())
    assert client.get(address(er_instance, "/metadata")).status_code == 403
    user = make_user("radiologist")
    client.force_login(user)
    assert client.get(address(er_instance, "/metadata")).status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get(address(er_instance, "/metadata")).status_code == 401


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_405_and_say_which_there_are(method, er_instance, token_headers):
    response = getattr(Client(), method)("/dicom-web/studies", **token_headers("service"))
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")


def test_every_kind_of_read_is_recorded_once_a_minute_with_user_study_and_patient(er_instance, ask):
    study = er_instance.series.study
    for paths in (levels(er_instance)["images"], levels(er_instance)["previews"]):
        for path in paths * 2:
            assert ask(path).status_code == 200
    events = AuditEvent.objects.filter(kind="110103")
    assert sorted(event.detail["what"] for event in events) == ["images", "metadata", "preview"]
    for event in events:
        assert (
            event.action == "R" and event.channel == "dicomweb" and event.username.startswith("radiologist")
        )
        assert (event.study_instance_uid, event.patient_id) == (study.study_instance_uid, "P1")


def test_a_second_user_has_events_of_their_own(er_instance, ask):
    ask(address(er_instance, "/metadata"), role="radiologist")
    ask(address(er_instance, "/metadata"), role="qa_reviewer")
    assert AuditEvent.objects.filter(kind="110103").count() == 2


def test_a_refused_read_is_not_recorded_as_a_read(er_instance, ask):
    ask(address(er_instance, "/metadata"), role="er_staff")
    assert not AuditEvent.objects.filter(kind="110103").exists()


def test_what_does_not_exist_and_what_may_not_be_seen_look_the_same(er_instance, stored, ask):
    (other,) = stored(make_dataset(AccessionNumber="X1", PatientID="P2"))
    hidden = ask(address(other, "/rendered"), role="er_staff")
    absent = ask("/studies/1.2/series/1.2/instances/1.2/rendered", role="er_staff")
    assert json.loads(hidden.content) == json.loads(absent.content)
