"""What may be said over FHIRcast, as pure rules: events, what they must hold, who hears which of them.

Source: HL7 FHIRcast 3.0.0 (STU3), Event Format, Send and Receive Event Notification, Content Sharing, Event Catalog.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.dateparse import parse_datetime

Message = dict[str, Any]

#: Event -> keys that its context must hold.
EVENTS: Final[Mapping[str, frozenset[str]]] = {
    "Patient-open": frozenset({"patient"}),
    "Patient-close": frozenset({"patient"}),
    "ImagingStudy-open": frozenset({"study"}),
    "ImagingStudy-close": frozenset({"study"}),
    "DiagnosticReport-open": frozenset({"report", "patient"}),
    "DiagnosticReport-close": frozenset({"report", "patient"}),
    "DiagnosticReport-update": frozenset({"report", "updates"}),
    "DiagnosticReport-select": frozenset({"report", "select"}),
    "SyncError": frozenset({"operationoutcome"}),
    "UserLogout": frozenset(),
}
RESOURCE_OF: Final = {
    "patient": "Patient",
    "study": "ImagingStudy",
    "report": "DiagnosticReport",
    "updates": "Bundle",
    "operationoutcome": "OperationOutcome",
}
# From the narrowest to the widest; who follows only patients is told of the patient when a study opens.
_ANCHORS: Final = (("DiagnosticReport", "report"), ("ImagingStudy", "study"), ("Patient", "patient"))
_CANONICAL: Final = {name.lower(): name for name in EVENTS}
ACSN: Final = "ACSN"
DICOM_UID: Final = "urn:dicom:uid"


class NotUnderstood(ValueError):
    """What was said is no FHIRcast; the words are for the developer of the other application."""


@dataclass(frozen=True)
class Told:
    """An event as a subscriber sent it, checked."""

    id: str
    at: datetime
    topic: str
    event: str
    context: list[dict[str, Any]]
    version_id: str

    @property
    def opens(self) -> bool:
        return self.event.endswith("-open")

    @property
    def closes(self) -> bool:
        return self.event.endswith("-close")

    @property
    def anchor(self) -> str:
        """Resource type before the hyphen."""
        return self.event.split("-")[0]

    def resource(self, key: str) -> dict[str, Any]:
        """The resource under a key; empty when there is none."""
        return resource_of(self.context, key)


def resource_of(context: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """The resource under a key of a context; empty when there is none."""
    for one in context:
        if str(one.get("key", "")).lower() == key:
            return dict(one.get("resource") or {})
    return {}


def canonical(names: str) -> list[str]:
    """Comma-separated names of events as this hub writes them, each once.

    Raises:
        NotUnderstood: a name that this hub does not know, or none at all.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in asked if name.lower() not in _CANONICAL]
    if unknown or not asked:
        known = ", ".join(EVENTS)
        raise NotUnderstood(f"hub.events: {', '.join(unknown) or 'nothing'}; this hub has: {known}.")
    return list(dict.fromkeys(_CANONICAL[name.lower()] for name in asked))


def parse(body: Any) -> Told:
    """Check an event that a subscriber sent.

    Raises:
        NotUnderstood: says what is missing or wrong.
    """
    if not isinstance(body, dict) or not isinstance(body.get("event"), dict):
        raise NotUnderstood("The body must be an object with timestamp, id and event.")
    event = body["event"]
    identity, stamp, name = body.get("id"), body.get("timestamp"), event.get("hub.event")
    if not isinstance(identity, str) or not 0 < len(identity) <= 100:
        raise NotUnderstood("id must be a string of 1 to 100 characters.")
    if not isinstance(name, str) or name.lower() not in _CANONICAL:
        raise NotUnderstood(f"hub.event must be one of {', '.join(EVENTS)}.")
    name = _CANONICAL[name.lower()]
    context = event.get("context", [])
    if not isinstance(context, list) or not all(_is_entry(one) for one in context):
        raise NotUnderstood("context must be a list of objects with key and resource.")
    keys = {one["key"].lower() for one in context}
    missing = EVENTS[name] - keys
    if missing:
        raise NotUnderstood(f"The context of {name} lacks {', '.join(sorted(missing))}.")
    for one in context:
        expected = RESOURCE_OF.get(one["key"].lower())
        if expected and one["resource"].get("resourceType") != expected:
            raise NotUnderstood(f"The resource under {one['key']} must be a {expected}.")
    version = event.get("context.versionId", "")
    return Told(
        id=identity,
        at=_instant(stamp),
        topic=str(event.get("hub.topic", "")),
        event=name,
        context=context,
        version_id=version if isinstance(version, str) else "",
    )


def _is_entry(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("key"), str):
        return False
    # `select` holds a list of references instead of a resource.
    return isinstance(one.get("resource"), dict) or one["key"].lower() == "select"


def _instant(stamp: Any) -> datetime:
    try:
        at = parse_datetime(stamp) if isinstance(stamp, str) else None
    except ValueError:
        at = None
    if at is None:
        raise NotUnderstood("timestamp must be an ISO 8601 instant.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def message(
    *, topic: str, event: str, context: Sequence[Mapping[str, Any]], at: datetime, id: str = "", **more: str
) -> Message:
    """An event as subscribers get it; `more` are further members such as `context.versionId`."""
    return {
        "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "id": id or str(uuid.uuid4()),
        "event": {"hub.topic": topic, "hub.event": event, "context": list(context)} | more,
    }


def heard(said: Message, events: Sequence[str]) -> Message | None:
    """The event as a subscriber of `events` hears it; None when it hears nothing of it.

    Who is not subscribed to the event itself, but to the same of a wider resource in its context, is told of that.
    """
    name = str(said["event"]["hub.event"])
    if name in events:
        return said
    anchor, _, verb = name.partition("-")
    anchors = [resource for resource, _ in _ANCHORS]
    if verb not in ("open", "close") or anchor not in anchors:
        return None
    for resource, key in _ANCHORS[anchors.index(anchor) + 1 :]:
        found = resource_of(said["event"]["context"], key)
        if found and f"{resource}-{verb}" in events:
            derived = deepcopy(said)
            derived["event"]["hub.event"] = f"{resource}-{verb}"
            derived["event"]["context"] = [
                one for one in derived["event"]["context"] if one["key"].lower() in (key, "patient")
            ]
            return derived
    return None


def sync_error(
    *, topic: str, at: datetime, why: str, of: str, event: str, subscriber: str, refused: bool
) -> Message:
    """That an application did not follow.

    Args:
        of, event: id and name of the event that was not followed.
        refused: it said no; otherwise it did not answer.
    """
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "warning",
                "code": "processing" if refused else "timeout",
                "diagnostics": why,
                "details": {
                    "coding": [
                        {"system": "https://fhircast.hl7.org/events/syncerror/eventid", "code": of},
                        {"system": "https://fhircast.hl7.org/events/syncerror/eventname", "code": event},
                        {
                            "system": "https://fhircast.hl7.org/events/syncerror/subscriber",
                            "code": subscriber,
                        },
                    ]
                },
            }
        ],
    }
    context = [{"key": "operationoutcome", "resource": outcome}]
    return message(topic=topic, event="SyncError", context=context, at=at)


def applied(content: Sequence[Mapping[str, Any]], updates: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shared resources after a Bundle of updates: PUT and POST replace by type and id, DELETE removes.

    Raises:
        NotUnderstood: an entry has another method, or does not say which resource it means.
    """
    kept = {(str(one["resourceType"]), str(one["id"])): dict(one) for one in content}
    for entry in updates.get("entry", []):
        request = entry.get("request") or {}
        method, resource = str(request.get("method", "")).upper(), entry.get("resource") or {}
        if method in ("PUT", "POST"):
            named = (str(resource.get("resourceType", "")), str(resource.get("id", "")))
            if not all(named):
                raise NotUnderstood("Each resource of an update needs resourceType and id.")
            kept[named] = dict(resource)
        elif method == "DELETE":
            where = str(request.get("url") or entry.get("fullUrl") or "").rstrip("/").split("/")
            if len(where) < 2:
                raise NotUnderstood("A DELETE needs the url of its resource, as Type/id.")
            kept.pop((where[-2], where[-1]), None)
        else:
            raise NotUnderstood("Each entry of an update needs request.method PUT, POST or DELETE.")
    return list(kept.values())


def study_uid(study: Mapping[str, Any]) -> str:
    """Study Instance UID of an ImagingStudy; empty when it has none."""
    for one in _identifiers(study):
        if one.get("system") == DICOM_UID:
            return str(one.get("value", "")).removeprefix("urn:oid:")
    return ""


def accession_number(study: Mapping[str, Any]) -> str:
    """Accession number of an ImagingStudy; empty when it has none."""
    for one in _identifiers(study):
        codes = [
            code.get("code") for code in (one.get("type") or {}).get("coding", []) if isinstance(code, dict)
        ]
        if ACSN in codes:
            return str(one.get("value", ""))
    return ""


def _identifiers(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = study.get("identifier", [])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
