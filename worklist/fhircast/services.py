"""Subscribe applications to a reader's desk, say on it what opens and closes, clear it.

What is said is written with the caller's transaction and sent after commit by number only; each socket reads it from
the database, so that the broker never carries patient data. A broker that is down costs the others on the desk a
change of context, never the reader anything.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from foundation.accounts.models import Role, User
from foundation.accounts.services import digest_of
from foundation.audit import services as audit
from pacs.models import Study
from pacs.selectors import studies_visible_to
from worklist.fhircast import messages
from worklist.fhircast.contexts import context_of
from worklist.fhircast.messages import Message, Told
from worklist.fhircast.models import Desk, Said, Subscription
from worklist.live.messages import Topic
from worklist.live.services import announce

log = structlog.get_logger(__name__)

OWN_NAME: Final = "Firstread"
LEASE: Final = timedelta(hours=2)
LONGEST_LEASE: Final = timedelta(hours=12)
KEPT: Final = timedelta(minutes=10)
ROLES: Final = (Role.RADIOLOGIST,)


class NotFound(LookupError):
    """No such desk or subscription of this user."""


class Conflict(ValueError):
    """What was said is older than what holds, or about something else than what is open."""


def desk_of(user: User) -> Desk:
    """The user's desk; made when there is none."""
    desk, _ = Desk.objects.get_or_create(user=user)
    return desk


def subscribe(
    *, user: User, topic: str, events: list[str], name: str = "", lease_seconds: int = 0, token: str = ""
) -> tuple[Subscription, str]:
    """Put an application on the user's desk, or change what a known one (`token`) hears.

    Returns:
        The subscription and the secret part of its socket's address.

    Raises:
        NotFound: not the user's topic, or a token that is not on this desk.
    """
    with transaction.atomic():
        desk = _own(user, topic)
        wanted = timedelta(seconds=lease_seconds) if lease_seconds > 0 else LEASE
        values = {
            "events": events,
            "name": name[:100],
            "lease_until": timezone.now() + min(wanted, LONGEST_LEASE),
        }
        if token:
            known = _active(desk).filter(digest=digest_of(token)).first()
            if known is None:
                raise NotFound
            Subscription.objects.filter(pk=known.pk).update(**values)
            known.refresh_from_db()
            transaction.on_commit(lambda: _send(desk.pk, {"type": "cast.renewed", "subscription": known.pk}))
            return known, token
        token = secrets.token_urlsafe(32)
        made = Subscription.objects.create(desk=desk, digest=digest_of(token), **values)
        audit.record(
            audit.Kind.APPLICATION_ACTIVITY,
            action="E",
            user=user,
            channel="api",
            detail={"what": "FHIRcast subscription", "subscription": made.pk, "events": events},
        )
        return made, token


def unsubscribe(*, user: User, topic: str, token: str) -> None:
    """Take an application from the desk; its socket is closed.

    Raises:
        NotFound: no such subscription on the user's desk.
    """
    with transaction.atomic():
        desk = _own(user, topic)
        subscription = _active(desk).filter(digest=digest_of(token)).first()
        if subscription is None:
            raise NotFound
        end(subscription.pk, "unsubscribed")


def end(subscription_id: int, why: str) -> None:
    """A subscription is over; a second time does nothing."""
    with transaction.atomic():
        found = Subscription.objects.filter(pk=subscription_id, ended_at__isnull=True)
        desk_id = found.values_list("desk_id", flat=True).first()
        if desk_id is None or not found.update(ended_at=timezone.now()):
            return
        _send_later(desk_id, {"type": "cast.ended", "subscription": subscription_id, "why": why})


def publish(*, user: User, told: Told, by: str = "") -> Message:
    """Accept an event from an application and tell all on the desk, the page included.

    Returns:
        What is told.

    Raises:
        NotFound: not the user's topic.
        Conflict: it is older than what is open, or updates something that is not open, or another version of it.
        NotUnderstood: its updates are not in order.
    """
    with transaction.atomic():
        desk = _own(user, told.topic)
        if told.opens:
            return _open(desk, told, by)
        if told.closes:
            return _close(desk, told)
        if told.event == "DiagnosticReport-update":
            return _update(desk, told)
        return _say(desk, _passed_on(desk, told))


def open_study(*, user: User, study: Study, report_id: int | None = None) -> None:
    """The reader opened a study here: whoever is on the desk follows. Nothing to do when it is open already."""
    with transaction.atomic():
        desk = desk_of(user)
        desk = Desk.objects.select_for_update().get(pk=desk.pk)
        anchor = "ImagingStudy" if report_id is None else "DiagnosticReport"
        open_now = str((desk.opened or {}).get("event", {}).get("hub.event", ""))
        if desk.study_id == study.pk and open_now in (f"{anchor}-open", "DiagnosticReport-open"):
            return
        told = Told(
            id=str(uuid.uuid4()),
            at=timezone.now(),
            topic=str(desk.topic),
            event=f"{anchor}-open",
            context=context_of(study, report_id),
            version_id="",
        )
        _open(desk, told, OWN_NAME, study)


def close_study(*, user: User, study: Study) -> None:
    """The reader left the study. Nothing to do when something else is open by now."""
    with transaction.atomic():
        desk = Desk.objects.select_for_update().filter(user=user, study=study).first()
        if desk is None or desk.opened is None:
            return
        event = desk.opened["event"]
        told = Told(
            id=str(uuid.uuid4()),
            at=timezone.now(),
            topic=str(desk.topic),
            event=str(event["hub.event"]).replace("-open", "-close"),
            context=event["context"],
            version_id="",
        )
        _close(desk, told)


def clear(*, user: User) -> None:
    """The reader signed out: all applications are told and taken from the desk, and nothing stays on it."""
    with transaction.atomic():
        desk = Desk.objects.select_for_update().filter(user=user).first()
        if desk is None:
            return
        subscriptions = list(_active(desk))
        if subscriptions:
            now = timezone.now()
            _say(desk, messages.message(topic=str(desk.topic), event="UserLogout", context=[], at=now))
            for subscription in subscriptions:
                end(subscription.pk, "the user signed out")
        _keep(
            desk,
            topic=uuid.uuid4(),
            version_id=uuid.uuid4(),
            opened=None,
            opened_by="",
            study=None,
            content=[],
        )


def not_followed(*, subscription_id: int, said: Message, why: str, refused: bool) -> None:
    """An application did not follow an event: all others that ask for it get a SyncError."""
    if said["event"]["hub.event"] in ("SyncError", "UserLogout"):
        return
    with transaction.atomic():
        subscription = Subscription.objects.select_related("desk").get(pk=subscription_id)
        error = messages.sync_error(
            topic=str(subscription.desk.topic),
            at=timezone.now(),
            why=why,
            of=str(said["id"]),
            event=str(said["event"]["hub.event"]),
            subscriber=subscription.name or f"application {subscription.pk}",
            refused=refused,
        )
        _say(subscription.desk, error, but=subscription_id)


def prune() -> int:
    """Forget what was said more than ten minutes ago and subscriptions that ended a day ago."""
    now = timezone.now()
    for subscription in Subscription.objects.filter(ended_at__isnull=True, lease_until__lt=now):
        end(subscription.pk, "the lease ended")
    Subscription.objects.filter(ended_at__lt=now - timedelta(days=1)).delete()
    deleted, _ = Said.objects.filter(at__lt=now - KEPT).delete()
    return deleted


def group_of(desk_id: int) -> str:
    """Name of the group of one desk's sockets."""
    return f"fhircast.{desk_id}"


def _own(user: User, topic: str) -> Desk:
    try:
        wanted = uuid.UUID(topic)
    except ValueError:
        raise NotFound from None
    desk = Desk.objects.select_for_update().filter(user=user, topic=wanted).first()
    if desk is None:
        raise NotFound
    return desk


def _active(desk: Desk) -> Any:
    return desk.subscriptions.filter(ended_at__isnull=True, lease_until__gt=timezone.now())


def _open(desk: Desk, told: Told, by: str, study: Study | None = None) -> Message:
    since = _since(desk)
    if since is not None and told.at < since:
        raise Conflict("What is open now was opened after this event; ask for the current context.")
    again = (desk.opened or {}).get("id") == told.id
    version = desk.version_id if again else uuid.uuid4()
    said = _passed_on(desk, told, **{"context.versionId": str(version)})
    foreign = study is None
    if study is None:
        study = _meant(desk.user, told)
    if not again:
        _keep(desk, opened=said, opened_by=by[:100], study=study, version_id=version, content=[])
        if foreign:
            announce(Topic.DESK, desk.user_id, 1)
    _say(desk, said)
    if foreign and study is None and told.anchor != "Patient":
        _say(
            desk,
            messages.sync_error(
                topic=str(desk.topic),
                at=timezone.now(),
                why="This study is not in the archive, or its reader may not see it.",
                of=told.id,
                event=told.event,
                subscriber=OWN_NAME,
                refused=True,
            ),
        )
    return said


def _close(desk: Desk, told: Told) -> Message:
    said = _passed_on(desk, told)
    if desk.opened is not None and _same(desk.opened, told):
        _keep(desk, opened=None, opened_by="", study=None, content=[], version_id=uuid.uuid4())
    _say(desk, said)
    return said


def _update(desk: Desk, told: Told) -> Message:
    opened = desk.opened
    if opened is None or messages.resource_of(opened["event"]["context"], "report").get(
        "id"
    ) != told.resource("report").get("id"):
        raise Conflict("This report is not open.")
    if told.version_id != str(desk.version_id):
        raise Conflict("The content changed since; ask for the current context and apply the change to that.")
    content = messages.applied(desk.content, told.resource("updates"))
    version = uuid.uuid4()
    said = _passed_on(
        desk, told, **{"context.versionId": str(version), "context.priorVersionId": told.version_id}
    )
    _keep(desk, content=content, version_id=version)
    _say(desk, said)
    return said


def _passed_on(desk: Desk, told: Told, **more: str) -> Message:
    """What an application said, as all on the desk get it: with its id, by which it knows its own again."""
    return messages.message(
        topic=str(desk.topic), event=told.event, context=told.context, at=told.at, id=told.id, **more
    )


def _same(opened: Message, told: Told) -> bool:
    """The close is of what is open: same anchor, or a wider one in the open context, and the same resource."""
    key = {"Patient": "patient", "ImagingStudy": "study", "DiagnosticReport": "report"}[told.anchor]
    here, there = messages.resource_of(opened["event"]["context"], key), told.resource(key)
    if not here:
        return False
    if key == "study" and messages.study_uid(here) and messages.study_uid(there):
        return messages.study_uid(here) == messages.study_uid(there)
    return here.get("id") == there.get("id")


def _since(desk: Desk) -> datetime | None:
    return messages.parse(desk.opened).at if desk.opened else None


def _meant(user: User, told: Told) -> Study | None:
    """The study of this archive that an event speaks of, among those its reader may see."""
    resource = told.resource("study")
    uid, accession = messages.study_uid(resource), messages.accession_number(resource)
    visible = studies_visible_to(user)
    if uid:
        return visible.filter(study_instance_uid=uid).first()
    if not accession:
        return None
    # Accession numbers are one site's; two studies under one are not guessed between.
    found = list(visible.filter(accession_number=accession)[:2])
    return found[0] if len(found) == 1 else None


def _keep(desk: Desk, **values: Any) -> None:
    for name, value in values.items():
        setattr(desk, name, value)
    desk.save(update_fields=[*values, "changed_at"])


def _say(desk: Desk, said: Message, but: int | None = None) -> Message:
    listening = list(_active(desk))
    if listening:
        row = Said.objects.create(desk=desk, message=said)
        _send_later(desk.pk, {"type": "cast.said", "said": row.pk, "but": but})
        if said["event"]["context"] and str(said["event"]["hub.event"]).endswith("-open"):
            audit.record(
                audit.Kind.PATIENT_RECORD,
                action="R",
                user=desk.user,
                channel="websocket",
                study_instance_uid=desk.study.study_instance_uid if desk.study else "",
                patient_id=desk.study.patient.patient_id if desk.study else "",
                detail={"what": "FHIRcast context", "subscriptions": [one.pk for one in listening]},
            )
    return said


def _send_later(desk_id: int, event: dict[str, Any]) -> None:
    transaction.on_commit(lambda: _send(desk_id, event), robust=True)


def _send(desk_id: int, event: dict[str, Any]) -> None:
    try:
        async_to_sync(get_channel_layer().group_send)(group_of(desk_id), event)
    except (RedisError, OSError) as error:
        log.warning("fhircast_broker_unreachable", error=type(error).__name__)
