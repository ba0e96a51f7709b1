"""What may be said, and who hears it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.fhircast import messages
from worklist.fhircast.messages import EVENTS, NotUnderstood, heard

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTEXT = [
    {"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}},
    {"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}},
    {"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "s1"}},
]


def _body(**event: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-03-01T12:00:00",
        "id": "e1",
        "event": {"hub.topic": "t", "hub.event": "DiagnosticReport-open", "context": CONTEXT} | event,
    }


def test_an_event_is_read_with_its_names_in_any_case_and_a_time_without_zone_is_utc():
    told = messages.parse(_body(**{"hub.event": "diagnosticreport-OPEN"}))
    assert (told.event, told.at, told.opens, told.anchor) == (
        "DiagnosticReport-open",
        AT,
        True,
        "DiagnosticReport",
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "timestamp, id and event"),
        (_body(**{"hub.event": "Coffee-open"}), "hub.event must be one of"),
        (_body(context=CONTEXT[:1]), "lacks patient"),
        (_body(context=[{"key": "patient"}]), "list of objects"),
        (
            _body(context=[*CONTEXT[:1], {"key": "patient", "resource": {"resourceType": "Device"}}]),
            "a Patient",
        ),
        (_body() | {"id": ""}, "id must be"),
        (_body() | {"timestamp": "yesterday"}, "ISO 8601"),
        (_body() | {"timestamp": "2026-13-40T00:00:00"}, "ISO 8601"),
    ],
)
def test_what_is_no_event_is_refused_in_words(body: Any, words: str):
    with pytest.raises(NotUnderstood, match=words):
        messages.parse(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda t: (
            st.lists(t)
            | st.dictionaries(
                st.sampled_from(["timestamp", "id", "event", "hub.event", "context", "key", "resource"])
                | st.text(),
                t,
            )
        ),
    )
)
def test_no_body_breaks_the_door(body: Any):
    with pytest.raises(NotUnderstood):
        messages.parse(body)


def test_who_follows_studies_or_patients_only_is_told_of_those_and_of_no_report():
    said = messages.message(topic="t", event="DiagnosticReport-open", context=CONTEXT, at=AT)
    assert heard(said, ["DiagnosticReport-open", "Patient-open"]) is said
    study = heard(said, ["ImagingStudy-open", "Patient-open"])
    assert study and study["event"]["hub.event"] == "ImagingStudy-open"
    assert {one["key"] for one in study["event"]["context"]} == {"study", "patient"}
    patient = heard(said, ["Patient-open"])
    assert patient and [one["key"] for one in patient["event"]["context"]] == ["patient"]
    assert heard(said, ["Patient-close", "SyncError"]) is None
    assert said["event"]["hub.event"] == "DiagnosticReport-open"


@given(st.sampled_from(sorted(EVENTS)), st.lists(st.sampled_from(sorted(EVENTS))))
def test_nobody_hears_what_they_did_not_ask_for(event: str, asked: list[str]):
    message = heard(messages.message(topic="t", event=event, context=CONTEXT, at=AT), asked)
    assert message is None or message["event"]["hub.event"] in asked


def test_updates_put_replace_and_delete_shared_resources():
    mark = {"resourceType": "Observation", "id": "m1", "valueString": "a"}
    kept = messages.applied([], {"entry": [{"request": {"method": "PUT"}, "resource": mark}]})
    assert kept == [mark]
    changed = mark | {"valueString": "b"}
    kept = messages.applied(kept, {"entry": [{"request": {"method": "put"}, "resource": changed}]})
    assert kept == [changed]
    gone = {"entry": [{"request": {"method": "DELETE", "url": "Observation/m1"}}]}
    assert messages.applied(kept, gone) == []
    with pytest.raises(NotUnderstood):
        messages.applied([], {"entry": [{"request": {"method": "PATCH"}, "resource": mark}]})


def test_a_study_is_known_by_its_uid_or_accession_number():
    study = {
        "identifier": [
            {"type": {"coding": [{"code": "ACSN"}]}, "value": "A-1"},
            {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"},
        ]
    }
    assert (messages.study_uid(study), messages.accession_number(study)) == ("1.2.3", "A-1")
    assert (messages.study_uid({"identifier": "x"}), messages.accession_number({})) == ("", "")
