"""The archive's pages in the admin site."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from foundation.accounts.models import User
from pacs.models import Instance, QuarantinedObject, RemoteNode, Study
from tests.pacs.conftest import make_dataset

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="correct horse battery"))
    return client


def test_the_lists_open_and_studies_cannot_be_changed(administrator: Client, store: Callable) -> None:
    store(make_dataset(), b"no dicom")
    for name in ("study", "remotenode", "quarantinedobject", "order"):
        assert administrator.get(f"/admin/pacs/{name}/").status_code == 200
    study = Study.objects.get()
    page = administrator.get(f"/admin/pacs/study/{study.pk}/change/")
    assert page.status_code == 200
    assert b"_save" not in page.content
    assert administrator.post(f"/admin/pacs/study/{study.pk}/delete/", {"post": "yes"}).status_code == 403


def _act(client: Client, model: str, action: str, pk: int) -> str:
    page = client.post(
        f"/admin/pacs/{model}/", {"action": action, "_selected_action": [str(pk)]}, follow=True
    )
    assert page.status_code == 200
    return page.content.decode()


def test_an_echo_tells_whether_a_node_answers(administrator: Client) -> None:
    node = RemoteNode.objects.create(name="Nobody", ae_title="NOBODY", host="127.0.0.1", port=1)
    assert "does not answer" in _act(administrator, "remotenode", "echo", node.pk)
    node.refresh_from_db()
    assert node.last_echo_ok is False


def test_quarantine_is_released_or_discarded(administrator: Client, store: Callable) -> None:
    dataset = make_dataset()
    store(dataset)
    conflict = make_dataset(StudyInstanceUID=dataset.StudyInstanceUID, PatientID="P2")
    store(conflict, b"no dicom")
    released = QuarantinedObject.objects.get(reason="patient_conflict")
    discarded = QuarantinedObject.objects.get(reason="not_dicom")
    patient = Study.objects.get().patient
    patient.patient_id = "P2"
    patient.save()
    assert "stored" in _act(administrator, "quarantinedobject", "release", released.pk)
    assert "is discarded" in _act(administrator, "quarantinedobject", "discard", discarded.pk)
    assert Instance.objects.count() == 2
    assert QuarantinedObject.objects.filter(resolved_at__isnull=True).count() == 0
