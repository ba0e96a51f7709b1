"""Uploads: every file of them is accounted for, whatever it is."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from pacs import storage
from pacs.api import unpacking
from pacs.models import Instance, QuarantinedObject
from tests.pacs.conftest import encoded, make_dataset, make_study


def zipped(method=zipfile.ZIP_DEFLATED, **files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def upload(client, token_headers):
    def go(role="pacs_administrator", **files):
        sent = [SimpleUploadedFile(name, data) for name, data in files.items()]
        return client.post("/api/uploads/", {"files": sent}, **token_headers(role))

    return go


def incoming():
    folder = storage.root() / "incoming"
    return list(folder.iterdir()) if folder.is_dir() else []


def test_files_and_archives_are_stored_and_counted(upload):
    first, second, third = (encoded(dataset) for dataset in make_study(3))
    uid = Instance.objects.count()
    response = upload(
        **{"a.dcm": first, "b.zip": zipped(**{"x/1": second, "x/2": third, "x/DICOMDIR": b"x" * 200})}
    )
    answer = response.json()
    assert response.status_code == 200 and uid == 0
    assert (answer["received"], answer["stored"], answer["duplicates"], answer["ignored"]) == (3, 3, 0, 1)
    assert answer["quarantined"] == answer["refused"] == []
    assert len(answer["studies"]) == 1
    assert Instance.objects.count() == 3
    assert incoming() == []


def test_a_large_file_goes_through_the_disk(upload, settings):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    assert upload(**{"a.dcm": encoded(make_dataset())}).json()["stored"] == 1


def test_the_same_file_again_is_a_duplicate(upload):
    data = encoded(make_dataset())
    answer = upload(**{"a.dcm": data, "b.dcm": data}).json()
    assert (answer["received"], answer["stored"], answer["duplicates"]) == (2, 1, 1)


def test_what_is_no_dicom_is_refused_by_name_and_not_kept(upload):
    answer = upload(**{"readme.txt": b"hello", "c.zip": zipped(**{"viewer.exe": b"MZ" + b"\0" * 300})}).json()
    assert [item["name"] for item in answer["refused"]] == ["readme.txt", "c.zip/viewer.exe"]
    assert answer["received"] == 2 and answer["stored"] == 0
    assert QuarantinedObject.objects.count() == 0


def test_a_dicom_file_that_cannot_be_filed_is_quarantined_with_a_reason(upload):
    answer = upload(**{"bad.dcm": encoded(make_dataset(PatientID="P1"))[:-600]}).json()
    assert [item["name"] for item in answer["quarantined"]] == ["bad.dcm"]
    assert "cut off" in answer["quarantined"][0]["reason"] or answer["quarantined"][0]["reason"]


def test_what_systems_leave_in_folders_is_passed_over(upload):
    litter = {
        "__MACOSX/._a.dcm": b"x" * 200,
        ".DS_Store": b"x" * 200,
        "sub/Thumbs.db": b"x" * 200,
        "empty": b"",
    }
    answer = upload(**{"a.zip": zipped(**litter)}).json()
    assert (answer["received"], answer["ignored"], answer["refused"]) == (0, 4, [])


def test_an_archive_inside_an_archive_is_refused(upload):
    inner = zipped(**{"a.dcm": encoded(make_dataset())})
    answer = upload(**{"outer.zip": zipped(**{"inner.zip": inner, "b.dcm": encoded(make_dataset())})}).json()
    assert answer["stored"] == 1
    assert [item["name"] for item in answer["refused"]] == ["outer.zip/inner.zip"]
    assert "inside another" in answer["refused"][0]["reason"]


def test_an_archive_that_unpacks_to_far_more_than_it_weighs_is_cut_short(upload, monkeypatch):
    monkeypatch.setattr(unpacking, "FREE_OF_RATIO", 100_000)
    bomb = zipped(**{"zeros": b"\0" * 128 + b"DICM" + b"\0" * 30_000_000})
    assert len(bomb) < 40_000
    answer = upload(**{"bomb.zip": bomb}).json()
    assert answer["stored"] == 0 and "far more than it weighs" in answer["refused"][0]["reason"]
    assert incoming() == [] and QuarantinedObject.objects.count() == 0


def test_a_promised_directory_of_millions_of_files_is_refused_before_it_is_read(upload, monkeypatch):
    monkeypatch.setattr(unpacking, "LARGEST_DIRECTORY", 100)
    answer = upload(**{"many.zip": zipped(**{f"{n:040}": b"" for n in range(10)})}).json()
    assert "Send it in parts" in answer["refused"][0]["reason"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda z: z[:-30],
        lambda z: z[:40] + b"\xff" * 60 + z[100:],
        lambda z: z[:4] + b"\xff" * 300,
        lambda z: b"PK\x03\x04",
    ],
)
def test_a_damaged_archive_is_refused_with_a_reason(damage, upload):
    response = upload(**{"a.zip": damage(zipped(**{"a.dcm": encoded(make_dataset())}))})
    answer = response.json()
    assert response.status_code == 200
    assert answer["stored"] == 0 and len(answer["refused"]) + len(answer["quarantined"]) == 1
    assert incoming() == []


def test_unusual_packing_is_refused_with_what_to_do(upload):
    answer = upload(**{"a.zip": zipped(zipfile.ZIP_LZMA, **{"a.dcm": encoded(make_dataset())})}).json()
    assert "plain zip" in answer["refused"][0]["reason"]


def test_names_that_climb_out_of_a_folder_are_only_names(upload):
    answer = upload(**{"a.zip": zipped(**{"../../etc/passwd": encoded(make_dataset())})}).json()
    assert answer["stored"] == 1
    (instance,) = Instance.objects.all()
    assert storage.path_of(instance).is_relative_to(storage.root())


def test_no_file_and_no_room_are_problem_documents(upload, settings):
    response = upload()
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    settings.MINIMUM_FREE_DISK_MB = 10**9
    assert upload(**{"a.dcm": encoded(make_dataset())}).status_code == 507


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("pacs_administrator", 200),
        ("service", 200),
        ("radiologist", 403),
        ("er_staff", 403),
        ("qa_reviewer", 403),
    ],
)
def test_only_administrators_and_programs_upload(role, status, upload):
    assert upload(role=role, **{"a.dcm": encoded(make_dataset())}).status_code == status


def test_a_browser_needs_its_csrf_token(make_user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user("pacs_administrator"))
    files = {"files": [SimpleUploadedFile("a.dcm", encoded(make_dataset()))]}
    assert browser.post("/api/uploads/", files).status_code == 403
    browser.cookies["csrftoken"] = "a" * 32
    files = {"files": [SimpleUploadedFile("a.dcm", encoded(make_dataset()))]}
    assert browser.post("/api/uploads/", files, headers={"X-CSRFToken": "a" * 32}).status_code == 200
