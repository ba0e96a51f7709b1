"""The receiver against real senders: dcmtk's tools and pynetdicom."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    generate_uid,
)
from pynetdicom import AE, build_context
from pynetdicom.acse import ACSE

from foundation.audit.models import AuditEvent
from foundation.databases import is_postgresql
from pacs import storage
from pacs.dimse import scu
from pacs.dimse.server import Receiver
from pacs.models import Instance, QuarantinedObject, RemoteNode, Study, StudyState
from pacs.services.part10 import read_meta
from tests.pacs.conftest import encoded, make_dataset, make_study
from tests.pacs.dimse.conftest import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("storescu") is None, reason="needs dcmtk: apt install dcmtk"),
]


def _dcmtk(
    tool: str, receiver: Receiver, *arguments: str, called: str = "FIRSTREAD"
) -> subprocess.CompletedProcess:
    command = [tool, "-v", "-aec", called, "127.0.0.1", str(receiver.port), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def _write(folder: Path, *contents: bytes) -> list[str]:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"{number}.dcm"
        path.write_bytes(content)
        paths.append(str(path))
    return paths


def _dataset_bytes(content: bytes) -> bytes:
    return content[read_meta(io.BytesIO(content)).dataset_offset :]


def _send(receiver: Receiver, *datasets: object) -> scu.Sent:
    return scu.send(datasets, "127.0.0.1", receiver.port, called_aet="FIRSTREAD", calling_aet="CT1")  # type: ignore[arg-type]


def test_dcmtk_echo_is_answered(receiver: Receiver) -> None:
    done = _dcmtk("echoscu", receiver)
    assert done.returncode == 0, done.stderr


def test_our_own_echo_is_answered_and_says_who_does_not_answer(receiver: Receiver) -> None:
    assert scu.echo("127.0.0.1", receiver.port, called_aet="FIRSTREAD", calling_aet="ME") < 2
    with pytest.raises(scu.PeerError, match="AE titles"):
        scu.echo("127.0.0.1", receiver.port, called_aet="OTHER", calling_aet="ME")


def test_a_refusal_that_comes_before_we_look_is_still_told_as_one(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_request = ACSE.send_request

    def sent_and_asleep(self: ACSE) -> None:
        send_request(self)
        time.sleep(0.5)

    monkeypatch.setattr(ACSE, "send_request", sent_and_asleep)
    with pytest.raises(scu.PeerError, match="AE titles"):
        scu.echo("127.0.0.1", receiver.port, called_aet="OTHER", calling_aet="ME")


def test_another_called_ae_title_is_refused(receiver: Receiver) -> None:
    done = _dcmtk("echoscu", receiver, called="SOMEBODY")
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stdout + done.stderr


def test_a_series_sent_by_dcmtk_is_on_disk_bit_by_bit(receiver: Receiver, tmp_path: Path) -> None:
    slices = make_study(5)
    done = _dcmtk("storescu", receiver, *_write(tmp_path, *(encoded(s) for s in slices)))
    assert done.returncode == 0, done.stderr
    for dataset in slices:
        instance = Instance.objects.get(sop_instance_uid=dataset.SOPInstanceUID)
        with storage.open(instance) as file:
            stored = file.read()
        assert hashlib.sha256(_dataset_bytes(stored)).hexdigest() == instance.sha256
        assert dcmread(io.BytesIO(stored)).PixelData == dataset.PixelData
    assert Study.objects.get().number_of_instances == 5
    assert list((tmp_path / "archive" / "incoming").iterdir()) == []


SAMPLES = {
    RLELossless: "MR_small_RLE.dcm",
    JPEGBaseline8Bit: "SC_rgb_jpeg_dcmtk.dcm",
    JPEGExtended12Bit: "JPGExtended.dcm",
    JPEGLosslessSV1: "SC_jpeg_no_color_transform.dcm",
    JPEGLSLossless: "MR_small_jpeg_ls_lossless.dcm",
    JPEG2000Lossless: "MR_small_jp2klossless.dcm",
    ImplicitVRLittleEndian: "MR_small_implicit.dcm",
    ExplicitVRLittleEndian: "CT_small.dcm",
    ExplicitVRBigEndian: "MR_small_bigendian.dcm",
}


@pytest.mark.parametrize("name", sorted(SAMPLES.values()))
def test_each_transfer_syntax_is_stored_as_sent(receiver: Receiver, name: str) -> None:
    path = get_testdata_file(name, download=False)
    dataset = dcmread(path)
    sent = _send(receiver, dataset)
    assert sent.failed == [], QuarantinedObject.objects.values_list("detail", flat=True)
    instance = Instance.objects.get()
    assert instance.transfer_syntax_uid == dataset.file_meta.TransferSyntaxUID
    assert dcmread(storage.path_of(instance)).PixelData == dataset.PixelData


@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2K, JPEGLossless, JPEGLSNearLossless, JPEG2000])
def test_other_compressed_syntaxes_are_stored_as_sent(receiver: Receiver, syntax: str) -> None:
    # The archive does not look into a codestream: any bytes stand for one.
    dataset = make_dataset(PixelData=encapsulate([b"\xff\x4f\xff\x51" * 100]))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    assert _send(receiver, dataset).failed == []
    instance = Instance.objects.get()
    assert instance.transfer_syntax_uid == syntax
    assert dcmread(storage.path_of(instance)).PixelData == dataset.PixelData


def test_deflated_is_not_negotiated(receiver: Receiver) -> None:
    entity = AE(ae_title="CT1")
    entity.requested_contexts = [build_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1.99")]
    association = entity.associate("127.0.0.1", receiver.port, ae_title="FIRSTREAD")
    assert not association.is_established
    assert association.accepted_contexts == []
    assert [context.result for context in association.rejected_contexts] == [4]


def test_the_same_object_twice_and_a_conflict_are_answered_apart(receiver: Receiver) -> None:
    dataset = make_dataset()
    assert _send(receiver, dataset).stored == [dataset.SOPInstanceUID]
    assert _send(receiver, dataset).stored == [dataset.SOPInstanceUID]
    dataset.PixelData = b"\7" * 512
    assert _send(receiver, dataset).failed == [(dataset.SOPInstanceUID, 0xC111)]
    assert Instance.objects.count() == QuarantinedObject.objects.count() == 1


def test_a_full_disk_is_answered_a700_and_recovers(receiver: Receiver, settings: object) -> None:
    dataset = make_dataset()
    settings.MINIMUM_FREE_DISK_MB = 10**9  # type: ignore[attr-defined]
    assert _send(receiver, dataset).failed == [(dataset.SOPInstanceUID, 0xA700)]
    settings.MINIMUM_FREE_DISK_MB = 1  # type: ignore[attr-defined]
    assert _send(receiver, dataset).stored == [dataset.SOPInstanceUID]


def test_an_announced_uid_that_differs_from_the_data_set_is_answered_a900(receiver: Receiver) -> None:
    dataset = make_dataset()
    entity = AE(ae_title="CT1")
    entity.add_requested_context(dataset.SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", receiver.port, ae_title="FIRSTREAD")
    send = association.dimse.send_msg

    def other(primitive: object, context_id: int) -> None:
        primitive.AffectedSOPInstanceUID = generate_uid()  # type: ignore[attr-defined]
        send(primitive, context_id)

    association.dimse.send_msg = other
    assert association.send_c_store(dataset).Status == 0xA900
    association.release()
    assert QuarantinedObject.objects.get().reason == "invalid"


def test_a_study_is_complete_when_the_association_closes_and_the_count_is_there(receiver: Receiver) -> None:
    slices = make_study(3, NumberOfStudyRelatedInstances=3)
    _send(receiver, *slices)
    assert wait_until(lambda: Study.objects.get().state == StudyState.COMPLETE, 2)
    assert Study.objects.get().associations_open == 0


def test_a_study_waits_while_its_association_is_open(receiver: Receiver) -> None:
    (dataset,) = make_study(1, NumberOfStudyRelatedInstances=1)
    entity = AE(ae_title="CT1")
    entity.add_requested_context(dataset.SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", receiver.port, ae_title="FIRSTREAD")
    assert association.send_c_store(dataset).Status == 0
    study = Study.objects.get()
    assert (study.state, study.associations_open) == (StudyState.RECEIVING, 1)
    association.abort()
    assert wait_until(lambda: Study.objects.get().state == StudyState.COMPLETE, 2)


def test_an_association_is_audited_when_it_begins_and_when_it_ends(receiver: Receiver) -> None:
    _send(receiver, *make_study(3))
    assert wait_until(lambda: AuditEvent.objects.count() == 2)
    begin, end = AuditEvent.objects.order_by("pk")
    assert (begin.detail["phase"], end.detail["phase"], end.detail["instances"]) == ("begin", "end", 3)
    assert (end.peer, end.channel) == ("127.0.0.1", "dimse")


def test_a_node_that_may_not_store_gets_no_storage_context(receiver: Receiver) -> None:
    RemoteNode.objects.create(name="CT1", ae_title="CT1", host="127.0.0.1", may_store=False)
    dataset = make_dataset()
    with pytest.raises(scu.PeerError, match="takes none"):
        _send(receiver, dataset)
    assert scu.echo("127.0.0.1", receiver.port, called_aet="FIRSTREAD", calling_aet="CT1") < 2


def test_a_closed_site_takes_images_from_registered_nodes_only(
    start_receiver: Callable[..., Receiver], settings: object
) -> None:
    settings.DICOM_ACCEPT_UNKNOWN_PEERS = False  # type: ignore[attr-defined]
    RemoteNode.objects.create(name="MR1", ae_title="MR1", host="127.0.0.1")
    receiver = start_receiver()
    dataset = make_dataset()
    with pytest.raises(scu.PeerError, match="takes none"):
        _send(receiver, dataset)
    sent = scu.send([dataset], "127.0.0.1", receiver.port, called_aet="FIRSTREAD", calling_aet="MR1")
    assert sent.stored == [dataset.SOPInstanceUID]


def test_four_senders_of_one_study_at_once_lose_nothing(receiver: Receiver, tmp_path: Path) -> None:
    slices = make_study(40)
    paths = _write(tmp_path, *(encoded(s) for s in slices))
    command = ["storescu", "-aec", "FIRSTREAD", "127.0.0.1", str(receiver.port)]
    senders = [subprocess.Popen(command + paths[n::4]) for n in range(4)]
    assert [s.wait(30) for s in senders] == [0, 0, 0, 0]
    study = Study.objects.get()
    assert study.number_of_instances == Instance.objects.count() == 40
    assert (study.number_of_series, study.series.get().number_of_instances) == (1, 40)


def test_two_receivers_of_the_same_objects_store_each_once(
    start_receiver: Callable[..., Receiver], tmp_path: Path
) -> None:
    paths = _write(tmp_path, *(encoded(s) for s in make_study(20)))
    senders = [
        subprocess.Popen(["storescu", "-aec", "FIRSTREAD", "127.0.0.1", str(start_receiver().port), *paths])
        for _ in range(2)
    ]
    assert [s.wait(30) for s in senders] == [0, 0]
    assert Instance.objects.count() == Study.objects.get().number_of_instances == 20


def test_stopping_takes_less_than_two_seconds_and_finishes_what_was_begun(
    start_receiver: Callable[..., Receiver],
) -> None:
    receiver = start_receiver()
    entity = AE(ae_title="CT1")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", receiver.port, ae_title="FIRSTREAD")
    assert association.is_established
    began = time.monotonic()
    receiver.stop()
    assert time.monotonic() - began < 2
    association.abort()


def test_a_file_that_dcmtk_wrote_without_pixels_is_quarantined(receiver: Receiver) -> None:
    dataset = make_dataset(PixelData=None)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    assert _send(receiver, dataset).failed == [(dataset.SOPInstanceUID, 0xC000)]
    assert QuarantinedObject.objects.get().detail.startswith("It is an image without pixel data")


def test_a_database_that_was_restarted_between_two_objects_costs_none(receiver: Receiver) -> None:
    if not is_postgresql():
        pytest.skip("SQLite has no server to restart")
    first, second = make_study(2)
    assert _send(receiver, first).failed == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert _send(receiver, second).failed == []
    assert Instance.objects.count() == 2
