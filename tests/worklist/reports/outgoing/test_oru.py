"""ORU^R01, written here and read by hl7apy and hl7, which were written by others."""

from __future__ import annotations

import re
from dataclasses import replace

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.reports.outgoing.making import corrected, make_sheet
from worklist.reports.outgoing import oru
from worklist.reports.outgoing.sheet import ReportSheet

ROUTE = oru.Route("FIRSTREAD", "SITE", "RIS", "HOSPITAL")


def message(sheet: ReportSheet) -> str:
    return oru.message(sheet, ROUTE, "CTRL1")


def plain(parsed: hl7.Message, value: object) -> str:
    """A field's text with its escapes undone by the reading library."""
    return str(parsed.unescape(str(value)))


def test_hl7apy_finds_a_valid_message_of_version_2_5_1() -> None:
    parsed = parse_message(
        message(make_sheet()), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True
    )
    assert parsed.name == "ORU_R01" and parsed.version == "2.5.1"
    patient = parsed.oru_r01_patient_result.oru_r01_patient
    assert patient.pid.pid_5.pid_5_1.to_er7() == "Müller"
    assert patient.oru_r01_visit.pv1.pv1_2.to_er7() == "E"
    observation = parsed.oru_r01_patient_result.oru_r01_order_observation
    assert observation.obr.obr_25.to_er7() == "F"
    assert len(observation.oru_r01_observation) == 6


def test_every_fact_stands_where_a_receiver_looks_for_it() -> None:
    parsed = hl7.parse(message(make_sheet()))
    msh, pid, pv1, orc, obr = (parsed.segment(name) for name in ("MSH", "PID", "PV1", "ORC", "OBR"))
    assert [str(msh[n]) for n in (3, 4, 5, 6, 10, 11, 12, 18)] == [
        *("FIRSTREAD", "SITE", "RIS", "HOSPITAL", "CTRL1", "P", "2.5.1", "UNICODE UTF-8")
    ]
    assert str(msh[9]) == "ORU^R01^ORU_R01" and str(msh[7]) == "20261124133205+0000"
    assert str(pid[3]) == "SYN-1^^^TEST^MR"
    assert str(pid[5]) == "Müller^Jürgen^^Jr.^Dr.^^L^A"
    assert (str(pid[7]), str(pid[8])) == ("19550315", "M")
    assert str(pv1[3]) == "Emergency^^ER bed 4"
    assert (str(orc[1]), str(orc[3])) == ("RE", "ACC-1")
    assert str(obr[4]).startswith("18748-4^") and "CT head w/o contrast" in str(obr[4])
    assert [str(obr[n]) for n in (3, 7, 18, 24, 25)] == ["ACC-1", "20261124101500", "ACC-1", "RAD", "F"]
    assert str(obr[31]) == "^Fall, headache"
    assert str(obr[32]) == "reader&Reader&Dr. Ada"
    rows = parsed.segments("OBX")
    assert [(str(row[2]), str(row[3]).split("^")[1]) for row in rows] == [
        ("FT", "History"),
        ("FT", "Current Procedure Descriptions"),
        ("FT", "Findings"),
        ("FT", "Impressions"),
        ("CE", "Intracranial hemorrhage"),
        ("ST", "Study"),
    ]
    assert {str(row[11]) for row in rows} == {"F"}
    assert str(rows[2][5]) == "Intraparenchymal hemorrhage, left, 31 mL.\\.br\\No fracture."
    assert str(rows[4][5]) == "52101004^Present^SCT"


def test_a_changed_report_is_a_correction_in_every_line_and_brings_all_words() -> None:
    parsed = hl7.parse(message(corrected(make_sheet())))
    assert str(parsed.segment("OBR")[25]) == "C"
    rows = parsed.segments("OBX")
    assert {str(row[11]) for row in rows} == {"C"}
    addenda = [str(row[5]) for row in rows if "Addendum" in str(row[3])]
    assert len(addenda) == 2 and "No hemorrhage: calcification." in addenda[1]
    assert str(rows[0][16]) == "chief^Chief^Dr. Bert", "who signed this version"
    assert str(parsed.segment("OBR")[32]).startswith("reader&"), "whose report it is"


def test_the_same_version_gives_the_same_message() -> None:
    assert message(make_sheet()) == message(make_sheet())


def test_without_an_order_there_is_no_visit() -> None:
    sheet = replace(make_sheet(), order=None)
    assert "PV1" not in [str(segment[0]) for segment in hl7.parse(message(sheet))]


@pytest.mark.parametrize(
    "name", ["王^小明", "Ιωάννης^Παπάς", "Yamada^Tarou=山田^太郎=やまだ^たろう", "O'Brien^Anne|Marie^^^", ""]
)
def test_names_of_any_script_arrive_as_they_are(name: str) -> None:
    sheet = replace(make_sheet(), patient_name=name)
    parsed = hl7.parse(message(sheet))
    field = str(parsed.segment("PID")[5])
    for part in name.replace("=", "^").split("^"):
        assert part in plain(parsed, field)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60)


@given(words=TEXT, title=TEXT)
def test_no_text_breaks_out_of_its_field(words: str, title: str) -> None:
    words = words.strip()
    sheet = replace(
        make_sheet(),
        sections=(("findings", "Findings", f"a{words}z"), ("impression", "Impression", "b")),
        study_description=title,
        order=None,
    )
    sent = message(sheet)
    assert [segment[:3] for segment in sent.split("\r")] == [*("MSH", "PID", "ORC", "OBR"), *["OBX"] * 4, ""]
    parsed = hl7.parse(sent)
    (row, *_) = parsed.segments("OBX")
    assert len(row) == 17
    characters = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
    undone = re.sub(r"\\([FSTRE])\\", lambda found: characters[found[1]], str(row[5]))
    assert undone == f"a{words}z"
