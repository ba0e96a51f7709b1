"""Tell open pages that something changed; close them at sign-out; keep the log short."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import TypeVar

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from worklist.live.messages import Changed, Topic
from worklist.live.models import Change, Heartbeat, Presence
from worklist.live.selectors import PRESENCE_SILENCE

T = TypeVar("T")
log = structlog.get_logger(__name__)

EVERYBODY = "live"
"""The one group: every server process listens once and hands on in memory (worklist.live.hub)."""
CHANGED, SIGNED_OUT, RIGHTS_CHANGED = "live.changed", "live.signed_out", "live.rights_changed"
KEPT = timedelta(days=1)


def announce(topic: Topic, key: int | str, version: int) -> None:
    """Write the change into the log with the caller's transaction and tell open pages after commit.

    A broker that is down loses the message, not the change: pages find it in the log at the next ping
    or when they come back.
    """
    row = Change.objects.create(topic=topic.value, key=str(key), version=version)
    message = Changed(topic=topic, key=row.key, version=version, seq=row.pk)
    transaction.on_commit(lambda: _send(CHANGED, message.as_json()), robust=True)


def close_session(session_key: str) -> None:
    """Close every socket of this session: its user signed out."""
    _send(SIGNED_OUT, {"session": session_digest(session_key)})


def recheck(user_id: int) -> None:
    """After commit, ask again whether this user's pages may stay: roles changed, or the account did."""
    transaction.on_commit(lambda: _send(RIGHTS_CHANGED, {"user": user_id}), robust=True)


def session_digest(session_key: str) -> str:
    """What stands for a session on the channel layer; the key itself never leaves the database."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]


def arrive(connection: str, user_id: int) -> None:
    """A page opened a connection."""
    Presence.objects.update_or_create(
        connection=connection, defaults={"user_id": user_id, "seen_at": timezone.now()}
    )


def still_here(connections: Iterable[str]) -> None:
    """These connections stand; one that was pruned meanwhile is not brought back."""
    for some in in_chunks(connections):
        Presence.objects.filter(connection__in=some).update(seen_at=timezone.now())


def in_chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Lists of at most 500, few enough for one query of either database."""
    remaining = iter(values)
    while chunk := list(islice(remaining, 500)):
        yield chunk


def leave(connection: str) -> None:
    """A connection ended."""
    Presence.objects.filter(connection=connection).delete()


def beat(component: str) -> None:
    """A background process shows that it lives."""
    Heartbeat.objects.update_or_create(component=component, defaults={"at": timezone.now()})


def prune() -> int:
    """Forget changes older than a day, except the latest, and connections that died silently."""
    now = timezone.now()
    Presence.objects.filter(seen_at__lt=now - PRESENCE_SILENCE).delete()
    latest = Change.objects.order_by("-pk").values_list("pk", flat=True).first()
    if latest is None:
        return 0
    deleted, _ = Change.objects.filter(at__lt=now - KEPT, pk__lt=latest).delete()
    return deleted


def _send(kind: str, message: dict[str, object]) -> None:
    try:
        async_to_sync(get_channel_layer().group_send)(EVERYBODY, {"type": kind, "message": message})
    except (RedisError, OSError) as error:
        log.warning("live_broker_unreachable", error=type(error).__name__)
