"""The page without WebGL: every kind of object that the archive takes opens, as a picture, a text or a document."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, generate_uid

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.audit.models import AuditEvent
from pacs.models import Instance, Study
from pacs.services import IncomingInstance, Source, store_derived, store_instances
from tests.pacs.conftest import make_dataset
from worklist.reading import services
from worklist.reading.models import Mode

pytestmark = pytest.mark.django_db
_IMAGE = "1.2.840.10008.5.1.4.1.1."


def pydicom_file(name: str) -> Dataset:
    path = get_testdata_file(name)
    assert path is not None
    return dcmread(path)


def projection(modality: str, sop_class: str, **fields: object) -> Dataset:
    """What pydicom has no file of, as its modality would send it."""
    return make_dataset(Modality=modality, SOPClassUID=_IMAGE + sop_class, **fields)


def cine(modality: str, sop_class: str) -> Dataset:
    frames = bytes(range(256)) * 2 * 3
    return projection(modality, sop_class, NumberOfFrames=3, PixelData=frames)


def pdf() -> Dataset:
    dataset = make_dataset(Modality="DOC", SOPClassUID=EncapsulatedPDFStorage)
    for keyword in ("Rows", "Columns", "PixelData", "SamplesPerPixel", "PhotometricInterpretation"):
        delattr(dataset, keyword)
    for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, keyword)
    dataset.EncapsulatedDocument = b"%PDF-1.4 synthetic\n"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    return dataset


TABLE: dict[str, tuple[Callable[[], Dataset], str]] = {
    "CT": (lambda: pydicom_file("CT_small.dcm"), "picture"),
    "CT, JPEG 2000": (lambda: pydicom_file("693_J2KI.dcm"), "picture"),
    "MR": (lambda: pydicom_file("MR_small.dcm"), "picture"),
    "MR, RLE": (lambda: pydicom_file("MR_small_RLE.dcm"), "picture"),
    "MR, big endian": (lambda: pydicom_file("MR_small_bigendian.dcm"), "picture"),
    "MR, JPEG-LS": (lambda: pydicom_file("MR_small_jpeg_ls_lossless.dcm"), "picture"),
    "US cine, YBR JPEG": (lambda: pydicom_file("examples_ybr_color.dcm"), "picture"),
    "US, palette": (lambda: pydicom_file("examples_palette.dcm"), "picture"),
    "US, RGB": (lambda: pydicom_file("examples_rgb_color.dcm"), "picture"),
    "NM, JPEG 2000": (lambda: pydicom_file("JPEG2000.dcm"), "picture"),
    "SC, RGB": (lambda: pydicom_file("SC_rgb_rle_2frame.dcm"), "picture"),
    "RT dose": (lambda: pydicom_file("rtdose.dcm"), "picture"),
    "XA": (lambda: cine("XA", "12.1"), "picture"),
    "RF": (lambda: cine("RF", "12.2"), "picture"),
    "CR": (lambda: projection("CR", "1", PhotometricInterpretation="MONOCHROME1"), "picture"),
    "DX": (lambda: projection("DX", "1.1"), "picture"),
    "MG": (lambda: projection("MG", "1.2"), "picture"),
    "PT": (lambda: projection("PT", "128", RescaleSlope=0.5, RescaleIntercept=0), "picture"),
    "SR": (lambda: pydicom_file("test-SR.dcm"), "text"),
    "PDF": (pdf, "document"),
    "RT plan": (lambda: pydicom_file("rtplan.dcm"), "said"),
    "ECG": (lambda: pydicom_file("waveform_ecg.dcm"), "said"),
}


@pytest.fixture(autouse=True)
def _archive(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ARCHIVE_DIR = tmp_path / "archive"  # type: ignore[attr-defined]
    monkeypatch.setattr(audit, "_recent", audit._Recent())


@pytest.fixture
def reader(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("radiologist"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def stored(dataset: Dataset) -> Study:
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    items = [IncomingInstance(data=buffer.getvalue())]
    (result,) = store_instances(items, source=Source(label="TEST", channel="command"))
    assert result.outcome == "stored", result
    return Study.objects.get(study_instance_uid=dataset.StudyInstanceUID)


def text_of(answer: object) -> str:
    assert answer.status_code == 200, answer  # type: ignore[attr-defined]
    return answer.content.decode()  # type: ignore[attr-defined,no-any-return]


def picture_in(client: Client, page: str) -> Image.Image:
    source = re.search(r'<img src="([^"]+)"', page)
    assert source, page
    answer = client.get(source[1].replace("&amp;", "&"))
    assert answer.status_code == 200, answer.content
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.parametrize("name", TABLE)
def test_each_kind_of_object_opens(reader: Client, name: str) -> None:
    make, kind = TABLE[name]
    study = stored(make())
    page = text_of(reader.get(f"/viewer/plain/{study.study_instance_uid}"))
    if kind == "picture":
        image = picture_in(reader, page)
        instance = Instance.objects.get(series__study=study)
        assert (image.width, image.height) == (instance.columns, instance.rows)
        assert len(set(image.convert("L").get_flattened_data() if hasattr(image, "get_flattened_data")
                       else image.convert("L").getdata())) > 1  # fmt: skip
    elif kind == "document":
        source = re.search(r'<iframe src="([^"]+)"', page)
        assert source
        answer = reader.get(source[1])
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer.content.startswith(b"%PDF")
    elif kind == "text":
        assert "<dt>" in page and "<img" not in page
    else:
        assert "it holds no picture" in page


def test_images_are_walked_through_and_windowed_without_a_script(reader: Client) -> None:
    study = stored(cine("XA", "12.1"))
    page = text_of(reader.get(f"/viewer/plain/{study.study_instance_uid}"))
    assert "2 of 3" in page and "frames/2/rendered" in page and "bone" not in page
    following = re.search(r'href="([^"]+)" rel="next"', page)
    assert following
    page = text_of(
        reader.get(f"/viewer/plain/{study.study_instance_uid}{following[1].replace('&amp;', '&')}")
    )
    assert "3 of 3" in page and 'rel="next"' not in page
    ct = stored(pydicom_file("CT_small.dcm"))
    page = text_of(reader.get(f"/viewer/plain/{ct.study_instance_uid}?window=bone"))
    assert "rendered?window=480,2500" in page
    assert "<script" not in page


def test_it_is_for_readers_of_the_study_and_stands_in_the_trail(
    reader: Client, make_user: Callable[..., User]
) -> None:
    study = stored(pydicom_file("CT_small.dcm"))
    url = f"/viewer/plain/{study.study_instance_uid}"
    nurse = Client()
    nurse.force_login(make_user("er_staff"), backend="django.contrib.auth.backends.ModelBackend")
    assert nurse.get(url).status_code == 403
    assert Client().get(url).status_code == 302
    assert reader.get("/viewer/plain/1.2.3").status_code == 404
    assert reader.get(f"{url}?series=1.2.3").status_code == 404
    answer = reader.get(url)
    assert answer["X-Frame-Options"] == "SAMEORIGIN" and "script-src" not in answer["Content-Security-Policy"]
    assert AuditEvent.objects.filter(detail__what="plain images").count() == 1


def test_what_ai_made_is_not_there_while_it_is_hidden(reader: Client) -> None:
    study = stored(pydicom_file("CT_small.dcm"))
    made = pydicom_file("test-SR.dcm")
    made.StudyInstanceUID, made.SeriesInstanceUID = study.study_instance_uid, generate_uid()
    made.PatientID, made.SOPInstanceUID = study.patient.patient_id, generate_uid()
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    (result,) = store_derived([made], "triage")
    assert result.outcome == "stored", result
    url = f"/viewer/plain/{study.study_instance_uid}"
    assert made.SeriesInstanceUID in text_of(reader.get(url))
    services.set_mode(user=None, mode=Mode.HIDDEN, reason="a trial", by=User.objects.get())
    assert made.SeriesInstanceUID not in text_of(reader.get(url))
    assert reader.get(f"{url}?series={made.SeriesInstanceUID}").status_code == 404
