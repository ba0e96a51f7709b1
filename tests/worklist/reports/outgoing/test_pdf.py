"""The PDF of a signed version: legible in any script, searchable, the same every time, honest about changes."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from PIL import Image
from pydicom import dcmread
from pypdf import PdfReader

from foundation.accounts.models import User
from pacs.models import Instance, Patient
from pacs.storage import path_of
from tests.worklist.making import make_model, make_run
from tests.worklist.reports.outgoing.conftest import Sign, plan
from tests.worklist.reports.outgoing.making import corrected, make_sheet
from worklist.reports import services
from worklist.reports.models import ReportVersion
from worklist.reports.outgoing import encapsulated, pdf
from worklist.reports.outgoing.sheet import ReportSheet

ARGUMENTS: dict[str, Any] = {"zone": "Europe/Berlin", "product": "Firstread 0"}


def image() -> pdf.KeyImage:
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 90).save(buffer, "JPEG")
    return pdf.KeyImage(buffer.getvalue(), 64, 64, "Hemorrhage: series 2, image 14")


def pages(sheet: ReportSheet, *images: pdf.KeyImage) -> list[str]:
    reader = PdfReader(io.BytesIO(pdf.render(sheet, images, **ARGUMENTS)))
    return [page.extract_text() for page in reader.pages]


def test_a_reader_finds_patient_study_impression_signer_and_what_ai_did() -> None:
    (page,) = pages(make_sheet(), image())
    for words in (
        *("Synthetic Hospital", "Final report", "Müller, Dr. Jürgen Jr.", "15 Mar 1955, 71 Y, male", "ACC-1"),
        *("ER, ER bed 4", "Fall, headache", "Acute hemorrhage, left.", "No fracture.", "image 14"),
        *("Signed by Dr. Ada Reader, 24 Nov 2026 14:32", "Europe/Berlin", "Page 1 of 1"),
        "AI was used: ich_demo, version 1.0",
    ):
        assert words in page, words
    assert page.index("Impression") < page.index("Findings"), "the answer comes first"


def test_changes_stand_above_everything_with_who_and_when() -> None:
    text = "\n".join(pages(corrected(make_sheet())))
    assert "Corrected report, version 3" in text
    assert text.index("No hemorrhage: calcification.") < text.index("Impression")
    assert "Addendum 1, Dr. Ada Reader, 24 Nov 2026 15:32" in text
    assert "Correction 2, Dr. Bert Chief, 24 Nov 2026 16:32" in text


def test_a_long_report_goes_on_and_every_page_says_whose_it_is() -> None:
    long = ("findings", "Findings", "\n".join(f"Line {n} of many." for n in range(150)))
    text = pages(replace(make_sheet(), sections=(long,)))
    assert len(text) > 2
    for number, page in enumerate(text, start=1):
        assert f"Page {number} of {len(text)}" in page and "SYN-1" in page and "ACC-1" in page
    assert "Line 149 of many." in "".join(text)


def test_the_same_version_gives_the_same_bytes() -> None:
    assert pdf.render(make_sheet(), [image()], **ARGUMENTS) == pdf.render(
        make_sheet(), [image()], **ARGUMENTS
    )


@pytest.mark.parametrize(
    "name",
    [
        "王^小明",
        "山田^たろう",
        "홍^길동",
        "Παπάς^Ιωάννης",
        "Иванов^Иван",
        "Հակոբյան^Արա",
        "გელაშვილი^ნინო",
        "ใจดี^สมชาย",
    ],
)
def test_names_of_many_scripts_print_and_can_be_searched(name: str) -> None:
    (page,) = pages(replace(make_sheet(), patient_name=name))
    family, given = name.split("^")
    flat = page.replace(" ", "")
    assert family in flat and given in flat


@pytest.mark.parametrize("name", ["علي^محمد", "כהן^שרה", "शर्मा^राम", "அகிலன்^ராமன்", "\U0001f600^\u0378"])
def test_scripts_that_join_or_run_leftwards_and_what_no_font_has_print_without_an_error(name: str) -> None:
    assert pages(replace(make_sheet(), patient_name=name, referring_physician=name))


@pytest.mark.parametrize("words", ["<b>5</b> & <img src=x> mm", "a" * 400, "\n\n\n", "x\n\n<font>"])
def test_no_text_is_taken_for_markup_or_too_long_to_print(words: str) -> None:
    sections = (("findings", "Findings", words), ("impression", "Impression", words))
    text = "".join(pages(replace(make_sheet(), sections=sections))).replace("\n", "")
    assert words.replace("\n", "")[:30].strip() in text


def test_fonts_are_embedded() -> None:
    reader = PdfReader(io.BytesIO(pdf.render(make_sheet(), [], **ARGUMENTS)))
    fonts = [font.get_object() for font in reader.pages[0]["/Resources"]["/Font"].values()]
    printed = [font for font in fonts if font["/BaseFont"] != "/Helvetica"]
    assert printed
    assert all("/FontFile2" in font["/FontDescriptor"].get_object() for font in printed)


def complaints(path: Path) -> list[str]:
    done = subprocess.run(
        [Path(sys.executable).parent / "dciodvfy", path], capture_output=True, text=True, check=False
    )
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.django_db
def test_each_version_lies_in_the_archive_as_a_valid_encapsulated_pdf(sign: Sign, reader: User) -> None:
    report = sign()
    services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
    before = report.study.__class__.objects.values_list("state", "completed_at").get(pk=report.study_id)
    assert encapsulated.store_missing() == 2 and encapsulated.store_missing() == 0
    versions = list(ReportVersion.objects.order_by("version"))
    stored = [Instance.objects.get(sop_instance_uid=one.pdf_sop_instance_uid) for one in versions]
    assert stored[0].series == stored[1].series and stored[0].series.derived
    for instance in stored:
        assert complaints(path_of(instance)) == []
    ds = dcmread(path_of(stored[1]))
    assert (ds.Modality, ds.PatientName, ds.AccessionNumber) == ("DOC", "Müller^Jürgen", "A1")
    assert "Fracture." in PdfReader(io.BytesIO(encapsulated.pdf_of(versions[1]))).pages[0].extract_text()
    assert before == report.study.__class__.objects.values_list("state", "completed_at").get(
        pk=report.study_id
    )


@pytest.mark.django_db
def test_once_stored_the_bytes_stay_although_the_name_was_put_right(sign: Sign) -> None:
    report = sign()
    version = report.versions.get()
    made = encapsulated.pdf_of(version)
    encapsulated.store_of_report(report.pk)
    Patient.objects.update(patient_name="Meier^Jürgen")
    version = ReportVersion.objects.get()
    assert encapsulated.pdf_of(version) == made


@pytest.mark.django_db
def test_an_archive_that_fails_is_asked_again_later_and_keeps_one_pdf(
    sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = sign()

    def broken(*_: Any, **__: Any) -> Any:
        raise DatabaseError("archive is away")

    with monkeypatch.context() as patch:
        patch.setattr(encapsulated, "store_derived", broken)
        assert encapsulated.store_missing() == 0
    assert encapsulated.store_missing() == 0, "tried again in a hurry"
    ReportVersion.objects.update(pdf_attempted_at=None)
    assert encapsulated.store_missing() == 1
    ReportVersion.objects.update(pdf_sop_instance_uid="", pdf_attempted_at=None)
    assert encapsulated.store_of_report(report.pk) == 1, "a death after the archive's commit"
    assert Instance.objects.filter(series__modality="DOC").count() == 1


@pytest.mark.django_db
def test_key_images_are_those_of_what_the_reader_kept(
    sign: Sign, make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = sign()
    shown = Instance.objects.get()
    run = make_run(report.study, make_model(name="ich_demo"), probability=0.9)
    run.findings.update(key_sop_instance_uid=shown.sop_instance_uid)
    version = report.versions.get()
    finding = str(run.findings.get().pk)
    for decision, count in (("accepted", 1), ("uncertain", 1), ("rejected", 0)):
        version.decisions = {finding: decision}
        assert len(encapsulated._key_images(version)) == count
    version.decisions = {finding: "accepted"}
    path_of(shown).write_bytes(b"broken")
    assert encapsulated._key_images(version) == [], "what cannot be decoded keeps no report from leaving"


@pytest.mark.django_db
def test_documents_are_there_before_anything_is_sent(sign: Sign) -> None:
    plan(sign())
    version = ReportVersion.objects.get()
    assert version.sr_sop_instance_uid and version.pdf_sop_instance_uid
