"""QIDO-RS: what is asked for is found, nothing else, in a fixed number of queries."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from foundation.audit.models import AuditEvent
from pacs.dicomweb.matching import Unmatchable, matcher
from pacs.models import Patient, Study
from tests.pacs.conftest import make_dataset, make_study
from tests.pacs.dicomweb.conftest import JSON


def found(response, tag="0020000D"):
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == JSON
    return [item[tag]["Value"][0] for item in json.loads(response.content)]


@pytest.fixture
def archive_of_four(stored):
    """Study UIDs by a letter."""
    uids = {letter: generate_uid() for letter in "abcd"}
    values = {
        "a": dict(PatientID="P1", PatientName="Müller^Jürgen", StudyDate="20260101", AccessionNumber="A1",
                  Modality="CT", StudyDescription="CT Head"),
        "b": dict(PatientID="P1", PatientName="Müller^Jürgen", StudyDate="20260215", AccessionNumber="A2",
                  Modality="MR", StudyDescription="MR Brain"),
        "c": dict(PatientID="P2", PatientName="Yamada^Tarou=山田^太郎", StudyDate="20250610",
                  AccessionNumber="A10", Modality="CT", StudyDescription="CT head 100%"),
        "d": dict(PatientID="", PatientName="", StudyDate="", AccessionNumber="", Modality="CR",
                  StudyDescription=""),
    }  # fmt: skip
    for letter, uid in uids.items():
        stored(make_dataset(StudyInstanceUID=uid, **values[letter]))
    stored(
        make_dataset(
            StudyInstanceUID=uids["a"],
            PatientID="P1",
            Modality="SEG",
            SeriesDescription="Mask",
            BodyPartExamined="HEAD",
        )
    )
    return uids


CASES = [
    ({}, "badc"),
    ({"PatientID": "P1"}, "ba"),
    ({"00100020": "P1"}, "ba"),
    ({"PatientID": "p1"}, ""),
    ({"PatientID": "P?"}, "bac"),
    ({"PatientID": ""}, ""),
    ({"PatientName": "müller*"}, "ba"),
    ({"PatientName": "MÜLLER^JÜRGEN"}, "ba"),
    ({"PatientName": "*jür*"}, "ba"),
    ({"PatientName": "山田*"}, "c"),
    ({"PatientName": "yamada^tarou"}, "c"),
    ({"PatientName": "yamada"}, ""),
    ({"PatientName": "M?ller^*"}, "ba"),
    ({"PatientName": "*"}, "bacd"),
    ({"StudyDate": "20260101"}, "a"),
    ({"StudyDate": "20260101-20261231"}, "ba"),
    ({"StudyDate": "-20251231"}, "c"),
    ({"StudyDate": "20260102-"}, "b"),
    ({"AccessionNumber": "A1"}, "a"),
    ({"AccessionNumber": "A1*"}, "ac"),
    ({"StudyDescription": "CT head 100%"}, "c"),
    ({"StudyDescription": "ct*"}, "ac"),
    ({"StudyDescription": "*100%"}, "c"),
    ({"ModalitiesInStudy": "CT"}, "ac"),
    ({"ModalitiesInStudy": "SEG"}, "a"),
    ({"ModalitiesInStudy": "CT,MR"}, "bac"),
    ({"ModalitiesInStudy": "CT\\MR"}, "bac"),
    ({"00080061": "C?"}, "acd"),
    ({"Modality": "MR"}, "b"),
    ({"SeriesDescription": "mask*"}, "a"),
    ({"BodyPartExamined": "HEAD"}, "a"),
    ({"PatientBirthDate": "19500101"}, "bacd"),
    ({"StudyTime": "0304"}, "bacd"),
    ({"StudyTime": "0305-"}, ""),
    ({"StudyTime": "-0304"}, "bacd"),
    ({"NumberOfStudyRelatedInstances": "2"}, "a"),
    ({"PatientID": "P1", "ModalitiesInStudy": "MR"}, "b"),
    ({"ManufacturerModelName": "X"}, ""),
    ({"limit": "2"}, "ba"),
    ({"limit": "2", "offset": "2"}, "cd"),
    ({"limit": "0"}, ""),
]


@pytest.mark.parametrize(("parameters", "expected"), CASES)
def test_a_search_finds_exactly_the_studies_that_match(parameters, expected, archive_of_four, ask):
    letters = {uid: letter for letter, uid in archive_of_four.items()}
    result = "".join(letters[uid] for uid in found(ask("/studies", accept=JSON, **parameters)))
    assert sorted(result) == sorted(expected)


def test_studies_come_newest_first_and_undated_last(archive_of_four, ask):
    assert found(ask("/studies")) == [archive_of_four[letter] for letter in "bacd"]


def test_uid_lists_are_taken_with_commas_backslashes_and_repeated(
    archive_of_four, ask, client, token_headers
):
    a, b = archive_of_four["a"], archive_of_four["b"]
    assert set(found(ask("/studies", StudyInstanceUID=f"{a},{b}"))) == {a, b}
    assert set(found(ask("/studies", StudyInstanceUID=f"{a}\\{b}"))) == {a, b}
    headers = token_headers("service")
    assert set(found(client.get(f"/dicom-web/studies?0020000D={a}&0020000D={b}", **headers))) == {a, b}


def test_an_id_made_of_wildcards_means_itself_where_it_exists(archive_of_four, stored, ask):
    (instance,) = stored(make_dataset(PatientID="??"))
    assert found(ask("/studies", PatientID="??")) == [instance.series.study.study_instance_uid]


@pytest.mark.parametrize(
    "parameters", [{"StudyDate": "yesterday"}, {"limit": "-1"}, {"offset": "x"}, {"PatientName": "a*b*c*d*e*f"},
                   {"PatientID": "a\x00"}, {"SeriesNumber": "two"}]
)  # fmt: skip
def test_a_value_that_cannot_be_searched_for_is_a_problem_document(parameters, db, ask):
    response = ask("/studies", **parameters)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_what_is_not_understood_is_ignored_with_a_warning(archive_of_four, ask):
    response = ask("/studies", fuzzymatching="true", nonsense="1", orderby="x")
    assert len(found(response)) == 4
    assert "fuzzymatching" in response["Warning"] and "nonsense" in response["Warning"]
    assert response["Warning"].startswith("299 ")


def test_more_results_than_the_limit_are_announced(archive_of_four, ask):
    assert "offset=2" in ask("/studies", limit="2")["Warning"]
    assert "Warning" not in ask("/studies", limit="4")


def test_included_fields_are_returned_and_all_of_them_on_request(stored, ask):
    stored(make_dataset(PatientWeight="70", StationName="CT1"))
    plain, wanted, everything = (
        json.loads(ask("/studies", **p).content)[0]
        for p in ({}, {"includefield": "PatientWeight,00081010"}, {"includefield": "all"})
    )
    assert "00101030" not in plain
    assert wanted["00101030"]["Value"] == [70.0]
    assert wanted["00081010"] == {"vr": "SH"}  # a series' attribute: named, empty
    assert everything["00101030"]["Value"] == [70.0]
    assert plain["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen"}]}
    assert plain["00081190"]["Value"][0].startswith("http://testserver/dicom-web/studies/")
    assert list(everything) == sorted(everything)


def test_series_and_instances_are_searched_within_and_across_studies(archive_of_four, ask):
    a = archive_of_four["a"]
    assert sorted(found(ask(f"/studies/{a}/series"), "00080060")) == ["CT", "SEG"]
    assert found(ask(f"/studies/{a}/series", Modality="SEG"), "0008103E") == ["Mask"]
    assert found(ask("/series", PatientID="P2"), "00100020") == ["P2"]
    assert found(ask("/series", SeriesDescription="M?sk"), "00100020") == ["P1"]
    assert len(found(ask(f"/studies/{a}/instances"), "00080018")) == 2
    (series,) = found(ask("/series", Modality="MR"), "0020000E")
    uid = archive_of_four["b"]
    (instance,) = json.loads(ask(f"/studies/{uid}/series/{series}/instances").content)
    assert instance["00280010"]["Value"] == [16]
    assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert "00100020" not in instance
    assert found(ask("/instances", SOPInstanceUID=instance["00080018"]["Value"][0]), "00100020") == ["P1"]


def test_attributes_without_a_column_and_inside_sequences_are_matched_too(stored, ask):
    from pydicom.dataset import Dataset

    step = Dataset()
    step.ScheduledProcedureStepID = "S7"
    (one, _) = stored(
        make_dataset(StationName="CT1", RequestAttributesSequence=[step]), make_dataset(StationName="CT2")
    )
    uid = one.series.series_instance_uid
    assert found(ask("/series", StationName="CT1"), "0020000E") == [uid]
    assert found(ask("/series", **{"00400275.00400009": "S7"}), "0020000E") == [uid]
    assert found(
        ask("/series", **{"RequestAttributesSequence.ScheduledProcedureStepID": "S*"}), "0020000E"
    ) == [uid]
    assert found(ask("/instances", BitsStored="16", StationName="CT1"), "0020000E") == [uid]


def test_a_search_takes_the_same_number_of_queries_for_one_study_and_for_thirty(stored, ask):
    def queries(path):
        ask(path)  # audit and token are coalesced from here on
        with CaptureQueriesContext(connection) as captured:
            assert ask(path).status_code == 200
        return len(captured)

    stored(*make_study(2))
    uid = Study.objects.get().study_instance_uid
    paths = ["/studies", "/series", "/instances", f"/studies/{uid}/series"]
    first = [queries(path) for path in paths]
    for number in range(30):
        stored(*make_study(2, PatientID=f"Q{number}"))
    assert [queries(path) for path in paths] == first
    assert max(first) <= 5


def test_a_search_is_recorded_with_the_attributes_it_used_and_without_their_values(archive_of_four, ask):
    ask("/studies", PatientName="müller*")
    ask("/studies", PatientID="P1")
    first, second = AuditEvent.objects.filter(kind="110112").order_by("pk")
    assert first.detail["what"] == "search studies by 00100010"
    assert second.patient_id == "P1"
    assert "müller" not in json.dumps(first.detail).lower()


TEXTS = st.text(alphabet="aAbB ^=*?.%_\\é(|", max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(TEXTS, min_size=1, max_size=6),
    pattern=TEXTS,
    vr=st.sampled_from(["LO", "PN", "UI", "DA", "TM"]),
)
def test_the_database_matches_what_the_rule_says_of_a_value(values, pattern, vr, db):
    try:
        rule = matcher(vr, (pattern,))
    except Unmatchable:
        return
    Patient.objects.all().delete()
    for number, value in enumerate(values):
        Patient.objects.create(patient_id=str(number), patient_name=value)
    by_database = set(Patient.objects.filter(rule.q("patient_name")).values_list("patient_id", flat=True))
    assert by_database == {str(n) for n, value in enumerate(values) if rule.matches(value)}


MOMENTS = st.sampled_from(
    ["", "20251231", "20260101", "20260102", "0900", "090000", "0900.5", "09", "235959.999999", "1x"]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(MOMENTS, min_size=1, max_size=6),
    low=MOMENTS,
    high=MOMENTS,
    dash=st.sampled_from(["", "-"]),
    vr=st.sampled_from(["DA", "TM"]),
)
def test_the_database_finds_the_dates_and_times_that_the_rule_does(values, low, high, dash, vr, db):
    try:
        rule = matcher(vr, (f"{low}{dash}{high}" if dash else low,))
    except Unmatchable:
        return
    Patient.objects.all().delete()
    for number, value in enumerate(values):
        Patient.objects.create(patient_id=str(number), patient_name=value)
    by_database = set(Patient.objects.filter(rule.q("patient_name")).values_list("patient_id", flat=True))
    assert by_database == {str(n) for n, value in enumerate(values) if rule.matches(value)}


@given(
    value=st.text(alphabet="abAB^", max_size=8), pattern=st.text(alphabet="abAB*?", min_size=1, max_size=8)
)
def test_wildcards_mean_what_the_standard_says(value, pattern):
    def reference(p, v):
        if not p:
            return not v
        if p[0] == "*":
            return any(reference(p[1:], v[n:]) for n in range(len(v) + 1))
        return bool(v) and (p[0] == "?" or p[0].lower() == v[0].lower()) and reference(p[1:], v[1:])

    try:
        rule = matcher("LO", (pattern,))
    except Unmatchable:
        assert len(re.findall(r"\*+", pattern)) > 4
        return
    wild = "*" in pattern or "?" in pattern
    assert rule.matches(value) == (reference(pattern, value) if wild else value == pattern)
