"""The socket of an application on a desk: confirms, tells, waits for answers, says when it is over.

The address is the secret: whoever knows it was given it by the hub, over a request that was signed in. Programs send
no Origin and no cookie, so neither is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import timezone

from foundation.accounts.services import digest_of
from worklist.fhircast import services
from worklist.fhircast.messages import Message, heard
from worklist.fhircast.models import Said, Subscription

UNKNOWN = 4404
OVER = 1000


class FhircastConsumer(AsyncWebsocketConsumer):
    """One subscription's connection."""

    answer_within_seconds = 10.0
    subscription: Subscription | None = None

    async def connect(self) -> None:
        await self.accept()
        token = str(self.scope["url_route"]["kwargs"]["token"])
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.lease: asyncio.Task[None] | None = None
        self.subscription = await database_sync_to_async(_known)(token)
        if self.subscription is None:
            await self.close(UNKNOWN)
            return
        await self.channel_layer.group_add(services.group_of(self.subscription.desk_id), self.channel_name)
        await self._confirm()
        opened = await database_sync_to_async(_opened)(self.subscription.pk)
        if opened is not None:
            await self._tell(opened)

    async def disconnect(self, code: int) -> None:
        for task in [*self.waiting.values(), *([self.lease] if self.lease else [])]:
            if task is not asyncio.current_task():
                task.cancel()
        if self.subscription is None:
            return
        await self.channel_layer.group_discard(
            services.group_of(self.subscription.desk_id), self.channel_name
        )
        await database_sync_to_async(_disconnected)(self.subscription.pk)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """An answer to an event: its id and an HTTP status."""
        if self.subscription is None:
            return
        with contextlib.suppress(json.JSONDecodeError, AttributeError, ValueError, TypeError):
            said = json.loads(text_data or "")
            await self._answered(str(said.get("id", "")), int(said.get("status", 0)))

    async def cast_said(self, event: dict[str, Any]) -> None:
        """From the group: something was said on the desk."""
        if self.subscription is None or event.get("but") == self.subscription.pk:
            return
        said = await database_sync_to_async(_said)(event["said"], self.subscription.pk)
        if said is not None:
            await self._tell(said)

    async def cast_renewed(self, event: dict[str, Any]) -> None:
        """From the group: the application asked for other events or a longer lease."""
        if self.subscription is not None and event["subscription"] == self.subscription.pk:
            await database_sync_to_async(self.subscription.refresh_from_db)()
            await self._confirm()

    async def cast_ended(self, event: dict[str, Any]) -> None:
        """From the group: a subscription is over."""
        if self.subscription is not None and event["subscription"] == self.subscription.pk:
            await self._deny(event["why"])

    async def _confirm(self) -> None:
        assert self.subscription is not None
        left = (self.subscription.lease_until - timezone.now()).total_seconds()
        await self._send(
            {
                "hub.mode": "subscribe",
                "hub.topic": str(self.subscription.desk.topic),
                "hub.events": ",".join(self.subscription.events),
                "hub.lease_seconds": max(1, round(left)),
            }
        )
        if self.lease is not None:
            self.lease.cancel()
        self.lease = asyncio.create_task(self._until(self.subscription.lease_until))

    async def _until(self, end: datetime) -> None:
        await asyncio.sleep(max(0.0, (end - timezone.now()).total_seconds()))
        assert self.subscription is not None
        await database_sync_to_async(services.end)(self.subscription.pk, "the lease ended")

    async def _tell(self, said: Message) -> None:
        assert self.subscription is not None
        message = heard(said, self.subscription.events)
        if message is None:
            return
        await self._send(message)
        if earlier := self.waiting.pop(str(message["id"]), None):
            earlier.cancel()
        self.waiting[str(message["id"])] = asyncio.create_task(self._unanswered(message))

    async def _unanswered(self, message: Message) -> None:
        await asyncio.sleep(self.answer_within_seconds)
        self.waiting.pop(str(message["id"]), None)
        await self._not_followed(message, "It did not answer in time.", refused=False)
        assert self.subscription is not None
        # Not told of again and again: STU3 has the hub take an unresponsive application from the desk.
        await database_sync_to_async(services.end)(self.subscription.pk, "no answer to an event")

    async def _answered(self, identity: str, status: int) -> None:
        task = self.waiting.pop(identity, None)
        if task is None:
            return
        task.cancel()
        if not 200 <= status < 300:
            said = await database_sync_to_async(_said_by_id)(self.subscription, identity)
            if said is not None:
                await self._not_followed(
                    said, f"It answered with status {status}.", refused=400 <= status < 500
                )

    async def _not_followed(self, message: Message, why: str, *, refused: bool) -> None:
        assert self.subscription is not None
        await database_sync_to_async(services.not_followed)(
            subscription_id=self.subscription.pk, said=message, why=why, refused=refused
        )

    async def _deny(self, why: str) -> None:
        assert self.subscription is not None
        await self._send(
            {
                "hub.mode": "denied",
                "hub.topic": str(self.subscription.desk.topic),
                "hub.events": ",".join(self.subscription.events),
                "hub.reason": why,
            }
        )
        await self.close(OVER)

    async def _send(self, message: Message) -> None:
        await self.send(json.dumps(message))


def _welcome(subscription: Subscription) -> bool:
    user = subscription.desk.user
    over = subscription.ended_at is not None or subscription.lease_until <= timezone.now()
    return not over and user.is_active and user.has_role(*services.ROLES)


def _known(token: str) -> Subscription | None:
    found = Subscription.objects.select_related("desk__user").filter(digest=digest_of(token)).first()
    if found is None or not _welcome(found):
        return None
    Subscription.objects.filter(pk=found.pk).update(connected_at=timezone.now())
    return found


def _disconnected(subscription_id: int) -> None:
    Subscription.objects.filter(pk=subscription_id).update(connected_at=None)


def _opened(subscription_id: int) -> Message | None:
    """What is open on the desk now."""
    opened: Message | None = Subscription.objects.get(pk=subscription_id).desk.opened
    return opened


def _said(said_id: int, subscription_id: int) -> Message | None:
    """What was said, unless the application's reader lost the role in between."""
    subscription = Subscription.objects.select_related("desk__user").get(pk=subscription_id)
    user = subscription.desk.user
    if not (user.is_active and user.has_role(*services.ROLES)):
        services.end(subscription_id, "the reader may no longer read")
        return None
    row = Said.objects.filter(pk=said_id, desk_id=subscription.desk_id).first()
    return row.message if row else None


def _said_by_id(subscription: Subscription, identity: str) -> Message | None:
    row = Said.objects.filter(desk_id=subscription.desk_id, message__id=identity).order_by("-pk").first()
    opened = Subscription.objects.get(pk=subscription.pk).desk.opened
    if row is not None:
        return dict(row.message)
    return opened if opened and opened["id"] == identity else None
