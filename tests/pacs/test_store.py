"""One write path: durable, once, and never a false success."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from django.db import OperationalError
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from foundation import events
from foundation.audit.models import AuditEvent
from pacs import selectors, storage
from pacs.models import Instance, Patient, QuarantinedObject, Series, Study, StudyState
from pacs.services import IncomingInstance, Outcome, Source, part10, store_derived, store_instances
from pacs.services.part10 import read_meta
from tests.pacs.conftest import encoded, make_dataset, make_study

pytestmark = pytest.mark.django_db

Store = Callable[..., list]


def _dataset_bytes(content: bytes) -> bytes:
    return content[read_meta(io.BytesIO(content)).dataset_offset :]


def _files(archive: Path, kind: str) -> list[Path]:
    return sorted(path for path in (archive / kind).rglob("*") if path.is_file())


def test_an_instance_is_filed_with_its_attributes_as_received(store: Store, archive: Path) -> None:
    dataset = make_dataset(PatientAge="071Y", BodyPartExamined="HEAD")
    content = encoded(dataset)
    (result,) = store(content)
    assert (result.outcome, result.dimse_status) == (Outcome.STORED, 0)
    instance = Instance.objects.get(sop_instance_uid=dataset.SOPInstanceUID)
    study = instance.series.study
    assert study.pk == result.study_id
    assert (study.study_date, study.accession_number, study.modalities) == ("20260102", "A1", "CT")
    assert (study.patient.patient_name, study.patient.patient_id) == ("Müller^Jürgen", "P1")
    assert study.attributes["00101010"]["Value"] == ["071Y"]
    assert (study.number_of_series, study.number_of_instances) == (1, 1)
    assert instance.sha256 == hashlib.sha256(_dataset_bytes(content)).hexdigest()
    stored = storage.path_of(instance).read_bytes()
    assert _dataset_bytes(stored) == _dataset_bytes(content)
    assert instance.size == len(stored)
    assert dcmread(storage.path_of(instance)).file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    metadata = selectors.metadata_of(instance)
    assert metadata["00100010"]["Value"] == [{"Alphabetic": "Müller^Jürgen"}]
    assert "7FE00010" not in metadata
    assert dataset.SOPInstanceUID not in instance.storage_key
    assert _files(archive, "incoming") == []


def test_text_in_an_old_character_set_is_indexed_as_unicode_and_kept_as_it_came(store: Store) -> None:
    dataset = make_dataset(SpecificCharacterSet="ISO_IR 100", PatientName="Øster^Åse")
    store(dataset)
    instance = Instance.objects.get()
    assert instance.series.study.patient.patient_name == "Øster^Åse"
    assert selectors.metadata_of(instance)["00080005"]["Value"] == ["ISO_IR 192"]
    assert "Øster^Åse".encode("latin-1") in storage.path_of(instance).read_bytes()


def test_a_program_in_the_preamble_does_not_survive(store: Store) -> None:
    content = encoded(make_dataset())
    store(b"MZ" + content[2:])
    assert storage.open(Instance.objects.get()).read(132) == b"\0" * 128 + b"DICM"


def test_the_same_bytes_twice_are_one_row_and_a_success(store: Store, archive: Path) -> None:
    content = encoded(make_dataset())
    store(content)
    version = Study.objects.get().version
    (again,) = store(content)
    assert (again.outcome, again.dimse_status) == (Outcome.DUPLICATE, 0)
    assert Instance.objects.count() == 1
    assert Study.objects.get().version == version
    assert len(_files(archive, "objects")) == 1
    assert _files(archive, "incoming") == []


def test_the_same_object_twice_in_one_batch_is_one_row(store: Store) -> None:
    content = encoded(make_dataset())
    assert [r.outcome for r in store(content, content)] == [Outcome.STORED, Outcome.DUPLICATE]
    assert Study.objects.get().number_of_instances == 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_same_object_in_another_encoding_is_a_duplicate(store: Store, syntax: str) -> None:
    dataset = make_dataset()
    store(dataset)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        words = dataset.PixelData
        dataset.PixelData = b"".join(words[i + 1 : i + 2] + words[i : i + 1] for i in range(0, len(words), 2))
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer,
        dataset,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax == ImplicitVRLittleEndian,
    )
    (again,) = store(buffer.getvalue())
    assert again.outcome == Outcome.DUPLICATE, again


def test_other_bytes_under_a_known_uid_are_quarantined_and_the_original_kept(
    store: Store, archive: Path
) -> None:
    dataset = make_dataset()
    original = encoded(dataset)
    store(original)
    dataset.PixelData = b"\1" * 512
    (other,) = store(dataset)
    assert (other.outcome, other.reason) == (Outcome.QUARANTINED, "uid_conflict")
    assert other.dimse_status != 0
    assert _dataset_bytes(storage.path_of(Instance.objects.get()).read_bytes()) == _dataset_bytes(original)
    row = QuarantinedObject.objects.get()
    assert _dataset_bytes(storage.path_of(row).read_bytes()) == _dataset_bytes(encoded(dataset))
    store(dataset)
    assert QuarantinedObject.objects.count() == 1
    assert len(_files(archive, "quarantine")) == 1


def test_a_study_under_another_patient_id_is_quarantined(store: Store) -> None:
    first, second = make_study(2)
    store(first)
    second.PatientID = "P2"
    (result,) = store(second)
    assert (result.outcome, result.reason) == (Outcome.QUARANTINED, "patient_conflict")
    assert Study.objects.get().number_of_instances == 1


def test_a_series_that_is_known_in_another_study_is_quarantined(store: Store) -> None:
    first, second = make_study(2)
    second.StudyInstanceUID = generate_uid()
    results = store(first, second)
    assert [r.reason for r in results] == ["", "patient_conflict"]
    assert Study.objects.count() == 1


def test_studies_without_patient_id_share_neither_patient_nor_priors(store: Store) -> None:
    store(make_dataset(PatientID="", PatientName="A"), make_dataset(PatientID="", PatientName="B"))
    assert sorted(Patient.objects.values_list("patient_name", flat=True)) == ["A", "B"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"StudyInstanceUID": None}, "invalid"),
        ({"SeriesInstanceUID": ""}, "invalid"),
        ({"SOPInstanceUID": "../../etc/passwd"}, "invalid"),
        ({"PatientID": "X" * 65}, "invalid"),
    ],
)
def test_what_cannot_be_filed_is_quarantined_with_a_reason(store: Store, values: dict, reason: str) -> None:
    dataset = make_dataset(**{k: v for k, v in values.items() if v is None})
    for keyword, value in values.items():
        if value is not None:
            with pydicom.config.disable_value_validation():
                setattr(dataset, keyword, value)
    body = io.BytesIO()
    pydicom.dcmwrite(body, dataset, implicit_vr=False, little_endian=True, enforce_file_format=False)
    content = body.getvalue()
    head = part10.header(
        sop_class_uid=dataset.SOPClassUID, sop_instance_uid="1.2.3", transfer_syntax_uid="1.2.840.10008.1.2.1"
    )
    (result,) = store(head + content[content.index(b"\x08\x00\x05\x00CS") :])
    assert (result.outcome, result.reason) == (Outcome.QUARANTINED, reason), result
    assert result.detail
    assert Study.objects.count() == 0


def test_what_is_not_dicom_is_quarantined(store: Store) -> None:
    (result,) = store(b"hello")
    assert (result.outcome, result.reason) == (Outcome.QUARANTINED, "not_dicom")


def test_a_deflated_data_set_is_never_inflated(store: Store) -> None:
    dataset = make_dataset(PixelData=b"\0" * 512)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (result,) = store(dataset)
    assert (result.outcome, result.reason) == (Outcome.QUARANTINED, "unsupported")


def test_a_truncated_instance_is_never_filed(store: Store) -> None:
    content = encoded(make_dataset())
    for cut in range(1, len(content), 41):
        (result,) = store(content[:-cut])
        assert result.outcome == Outcome.QUARANTINED, cut
    assert Instance.objects.count() == 0


def test_a_full_disk_is_refused_and_recovers_without_a_restart(
    store: Store, settings: object, archive: Path
) -> None:
    settings.MINIMUM_FREE_DISK_MB = 10**9  # type: ignore[attr-defined]
    content = encoded(make_dataset())
    (result,) = store(content)
    assert (result.outcome, result.dimse_status) == (Outcome.REFUSED, 0xA700)
    assert _files(archive, "incoming") == []
    settings.MINIMUM_FREE_DISK_MB = 1  # type: ignore[attr-defined]
    assert store(content)[0].outcome == Outcome.STORED


def test_no_success_while_the_database_is_down(
    store: Store, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    content = encoded(make_dataset())

    def down(self: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr("pacs.services.index.Filing.run", down)
        (result,) = store(content)
    assert (result.outcome, result.dimse_status) == (Outcome.REFUSED, 0x0110)
    assert _files(archive, "incoming") == _files(archive, "objects") == []
    assert store(content)[0].outcome == Outcome.STORED


def test_a_failure_after_the_files_moved_leaves_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(
            "pacs.storage.sync_folder", lambda folder: (_ for _ in ()).throw(OSError(28, "no space"))
        )
        (result,) = store(make_dataset())
    assert (result.outcome, result.dimse_status) == (Outcome.REFUSED, 0xA700)
    assert _files(archive, "objects") == _files(archive, "incoming") == []
    assert Instance.objects.count() == 0


def test_a_study_makes_news_once_and_its_further_instances_as_such(
    store: Store, django_capture_on_commit_callbacks: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[events.Event] = []
    monkeypatch.setattr(events, "_deliver", heard.append)
    first, second, third = make_study(3)
    with django_capture_on_commit_callbacks(execute=True):
        store(first, second)
        store(third)
        store(third)
    pk = Study.objects.get().pk
    assert heard == [events.StudyReceived(pk), events.InstancesStored(pk)]


def test_a_late_instance_reopens_a_complete_study(store: Store) -> None:
    first, second = make_study(2)
    store(first)
    Study.objects.update(state=StudyState.COMPLETE, completion_due_at=None)
    version = Study.objects.get().version
    store(second)
    study = Study.objects.get()
    assert (study.state, study.version) == (StudyState.RECEIVING, version + 1)
    assert study.completion_due_at is not None


def test_a_derived_instance_does_not_reopen_its_study(store: Store) -> None:
    first = make_dataset()
    store(first)
    Study.objects.update(state=StudyState.COMPLETE, completion_due_at=None)
    version = Study.objects.get().version
    derived = make_dataset(StudyInstanceUID=first.StudyInstanceUID, Modality="SR")
    (result,) = store_derived([derived], "triage")
    study = Study.objects.get()
    assert result.outcome == Outcome.STORED
    assert (study.state, study.version, study.number_of_instances) == (StudyState.COMPLETE, version, 2)
    assert Series.objects.get(series_instance_uid=derived.SeriesInstanceUID).derived


def test_a_study_is_complete_at_once_when_its_announced_count_is_there(store: Store) -> None:
    slices = make_study(3, NumberOfStudyRelatedInstances=3)
    store(*slices[:2])
    assert Study.objects.get().state == StudyState.RECEIVING
    store(slices[2])
    assert Study.objects.get().state == StudyState.COMPLETE


def test_images_in_acquisition_count_only_while_there_is_one_series(store: Store) -> None:
    first = make_dataset(ImagesInAcquisition=2)
    store(first)
    assert Study.objects.get().expected_instances == 2
    store(make_dataset(StudyInstanceUID=first.StudyInstanceUID, ImagesInAcquisition=2))
    study = Study.objects.get()
    assert (study.expected_instances, study.state) == (None, StudyState.RECEIVING)


def test_each_batch_is_audited_by_study(store: Store) -> None:
    store(*make_study(3))
    event = AuditEvent.objects.get()
    assert (event.study_instance_uid, event.detail["instances"]) == (
        Study.objects.get().study_instance_uid,
        3,
    )


def test_a_file_that_is_not_owned_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.dcm"
    path.write_bytes(encoded(make_dataset()))
    results = store_instances(
        [IncomingInstance(path=path, owned=False)], source=Source(label="import", channel="command")
    )
    assert results[0].outcome == Outcome.STORED
    assert path.is_file()


def test_a_value_that_the_database_cannot_hold_does_not_harm_its_neighbours(store: Store) -> None:
    good = make_dataset()
    odd = make_dataset(PatientID="P3", StudyDescription="a\0b", NumberOfFrames="999999999999")
    assert [r.outcome for r in store(odd, good)] == [Outcome.STORED, Outcome.STORED]


def test_quarantined_bytes_can_be_released_once_the_obstacle_is_gone(
    store: Store, make_user: Callable
) -> None:
    from pacs.services.quarantine import discard, release

    dataset = make_dataset()
    store(dataset)
    other = make_dataset(
        StudyInstanceUID=dataset.StudyInstanceUID, SeriesInstanceUID=dataset.SeriesInstanceUID, PatientID="P2"
    )
    store(other)
    row = QuarantinedObject.objects.get()
    user = make_user("pacs_administrator")
    assert release(quarantined=row, user=user).outcome == Outcome.QUARANTINED
    row.refresh_from_db()
    assert row.resolved_at is None
    Patient.objects.filter(patient_id="P1").update(patient_id="P2")
    assert release(quarantined=row, user=user).outcome == Outcome.STORED
    row.refresh_from_db()
    assert row.resolved_at is not None
    assert not discard(quarantined=row, user=user)
