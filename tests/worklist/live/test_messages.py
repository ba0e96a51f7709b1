"""The protocol's schema: small, typed, without patient data."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import live_types
from worklist.live.messages import (
    Changed,
    Hello,
    Ping,
    ProtocolError,
    Resync,
    ServerMessage,
    Since,
    Topic,
    parse,
)

EXAMPLES = [
    (Hello(seq=7), {"type": "hello", "seq": 7}),
    (
        Changed(topic=Topic.WORKLIST, key="12", version=3, seq=8),
        {"type": "changed", "topic": "worklist", "key": "12", "version": 3, "seq": 8},
    ),
    (Ping(seq=8), {"type": "ping", "seq": 8}),
    (Resync(), {"type": "resync"}),
]


@pytest.mark.parametrize(("message", "wire"), EXAMPLES)
def test_what_the_server_says_is_written_as_the_schema_says(message: ServerMessage, wire: dict):
    assert json.loads(json.dumps(message.as_json())) == wire


def test_every_message_of_the_server_has_an_example_and_only_numbers_topics_and_keys():
    assert {type(message) for message, _ in EXAMPLES} == set(ServerMessage.__subclasses__())
    names = {field.name for kind in ServerMessage.__subclasses__() for field in fields(kind)}
    assert names == {"topic", "key", "version", "seq"}, "a new field could carry patient data: think first"


def test_the_front_ends_types_are_those_of_the_schema():
    assert live_types.TYPES.read_text() == live_types.text(), "Run: .venv/bin/python -m scripts.schema"


def test_a_client_may_ask_for_what_it_missed():
    assert parse({"type": "since", "seq": 7}) == Since(seq=7)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(json_values | st.fixed_dictionaries({"type": st.just("since")}, optional={"seq": json_values}))
def test_whatever_else_a_client_says_is_refused_and_never_crashes(said):
    with contextlib.suppress(ProtocolError):
        assert parse(said).seq >= 0
