"""The trail is append-only, chained, and tells when somebody tampered with it."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from foundation.audit import services
from foundation.audit.models import AuditEvent
from foundation.databases import drop_append_only

pytestmark = pytest.mark.django_db


def _event(**detail: object) -> AuditEvent:
    return services.record(services.Kind.QUERY, action="R", channel="api", detail=dict(detail))


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_change_or_remove_an_event(verb: str) -> None:
    event = _event()
    rows = AuditEvent.objects.filter(pk=event.pk)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(username="x") if verb == "update" else rows._raw_delete(rows.db)
    assert AuditEvent.objects.filter(pk=event.pk, username="").exists()


def test_an_untouched_trail_is_intact() -> None:
    for n in range(5):
        _event(n=n, text="ä")
    assert services.seal() == 5
    _event(n=6)
    verdict = services.verify()
    assert verdict.intact, verdict.faults
    assert verdict.events == verdict.sealed == 6


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit_auditevent SET username = 'somebody else' WHERE id = %s", "was changed"),
        ("DELETE FROM audit_auditseal WHERE event_id = %s", "removed or reordered"),
    ],
)
def test_tampering_behind_the_triggers_is_found(statement: str, told: str) -> None:
    events = [_event(n=n) for n in range(4)]
    services.seal()
    editor = connection.SchemaEditorClass(connection)
    for table in ("audit_auditevent", "audit_auditseal"):
        drop_append_only(editor, table)
    with connection.cursor() as cursor:
        cursor.execute(statement, [events[1].pk])
    verdict = services.verify()
    assert any(told in fault for fault in verdict.faults), verdict.faults
