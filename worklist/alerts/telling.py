"""One telling of an alert: whom a rung reaches at this moment, and the messages that this makes.

Planning reads; carrying out writes, in the transaction of whoever moves the alert. The open page rings by
the live message; every other channel gets a Delivery for each recipient, which a worker sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from foundation.accounts.models import Role, User
from worklist.alerts.ladders import Channel, Group, Rule, Rung
from worklist.alerts.models import Alert, AlertStep, Delivery, DeliveryState, PushSubscription
from worklist.alerts.policy import Audience
from worklist.alerts.selectors import number_connected, people_of
from worklist.live.selectors import connected_user_ids
from worklist.rota.models import Duty
from worklist.rota.selectors import on_duty

RULE: Final = "rule"
PAGE: Final = Channel.PAGE.value
WHO_LENGTH: Final = 200
# Whose alerts these are: others on the calendar could neither see the patient nor answer.
MAY_ANSWER: Final = (Role.ER_STAFF, Role.RADIOLOGIST)


@dataclass(frozen=True)
class Message:
    """One message by one channel; `recipient` is its key within the channel."""

    channel: str
    recipient: str
    label: str
    user: User | None = None


@dataclass(frozen=True)
class Telling:
    """What one rung does now.

    Attributes:
        number: of the rung; -1 for people named by hand.
        groups: told on their pages.
        named: people told one by one on their pages, with the words for the log.
        connected: how many of groups and named have a page open.
        messages: by the other channels.
        missing: what could not be found, in words: "nobody is on call at position 2".
    """

    number: int
    groups: tuple[Audience, ...] = ()
    keys: tuple[str, ...] = ()
    named: tuple[tuple[User, str], ...] = ()
    connected: int = 0
    messages: tuple[Message, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def reaches_anybody(self) -> bool:
        """False when nobody at all can notice: the alert goes on at once.

        A group's page hangs on a wall or is opened a minute later; a person on call whose page is closed
        and who has no other channel hears nothing.
        """
        return bool(self.groups or self.messages or (self.named and self.connected))


def plan(rule: Rule, number: int, *, department: str, at: datetime) -> Telling:
    """Whom rung `number` of `rule` tells at `at`, by the calendar and the accounts of this moment."""
    rung = rule.rung(number)
    audiences = rung.groups(department)
    on_call, missing = _on_call(rung, department, at)
    by_page = PAGE in rung.channels
    people = [(person, str(person)) for person in (people_of(audiences) if audiences else [])]
    return Telling(
        number=number,
        groups=audiences if by_page else (),
        keys=_keys(rung, department) if by_page else (),
        named=tuple(on_call) if by_page else (),
        connected=_connected(audiences, [one for one, _ in on_call]) if by_page else 0,
        messages=tuple(_messages(rung.channels, on_call + people)),
        missing=missing,
    )


def plan_for(person: User, channels: tuple[str, ...], words: str) -> Telling:
    """`person` alone, on the page and by every channel that is named."""
    told = [(person, words)]
    return Telling(
        number=-1,
        named=tuple(told),
        connected=_connected((), [person]),
        messages=tuple(_messages(channels, told)),
    )


def carry_out(alert: Alert, telling: Telling, *, at: datetime, prefix: str = "") -> None:
    """Write the log and the messages of this round; the same round twice makes nothing twice."""
    for said in telling.missing:
        log_step(alert, who="nobody", channel=RULE, outcome=said)
    if telling.groups:
        connected = number_connected(telling.groups)
        heard = f"shown to {connected} connected" if connected else "nobody signed in"
        words = " and ".join(group.in_words() for group in telling.groups)
        log_step(alert, who=words, channel=PAGE, outcome=prefix + heard)
    present = connected_user_ids() if telling.named else set()
    for person, words in telling.named:
        heard = "shown" if person.pk in present else "not signed in"
        log_step(alert, who=words, channel=PAGE, outcome=prefix + heard)
    by_page = [Message(PAGE, key, key) for key in telling.keys]
    by_page += [Message(PAGE, f"user:{person.pk}", words, person) for person, words in telling.named]
    Delivery.objects.bulk_create(
        [
            Delivery(
                alert=alert,
                rung=alert.rung,
                round=alert.round,
                channel=message.channel,
                recipient=message.recipient,
                user=message.user,
                label=message.label[:WHO_LENGTH],
                state=DeliveryState.SENT if message.channel == PAGE else DeliveryState.WAITING,
                next_attempt_at=at,
                sent_at=at if message.channel == PAGE else None,
            )
            for message in (*by_page, *telling.messages)
        ],
        ignore_conflicts=True,
    )


def page_is_seen(alert: Alert, rule: Rule) -> bool:
    """True when somebody whom the alert's present round told by page has one open now."""
    pages = list(alert.deliveries.filter(round=alert.round, channel=PAGE))
    present = connected_user_ids() if pages else set()
    if any(page.user_id in present for page in pages if page.user_id):
        return True
    if any(page.user_id is None for page in pages):
        return number_connected(rule.rung(alert.rung).groups(alert.department)) > 0
    return False


def log_step(alert: Alert, *, who: str, channel: str, outcome: str, user: User | None = None) -> None:
    """A line of the alert's log."""
    AlertStep.objects.create(
        alert=alert,
        rung=alert.rung,
        who=who[:WHO_LENGTH],
        channel=channel,
        outcome=outcome[:WHO_LENGTH],
        user=user,
    )


def _on_call(rung: Rung, department: str, at: datetime) -> tuple[list[tuple[User, str]], tuple[str, ...]]:
    """People on call at the rung's positions, and which positions nobody holds.

    Position 2 is the second that the calendar names at this moment, so that a gap in its numbers is none.
    """
    positions = rung.positions()
    if not positions:
        return [], ()
    # Without a department the patient may be anybody's: everybody on call is asked for.
    shifts = on_duty(at=at, duty=Duty.ON_CALL, department=department or None)
    able = [shift for shift in shifts if shift.user.has_role(*MAY_ANSWER)]
    called = [[s.user for s in shifts] for _, shifts in groupby(able, key=lambda shift: shift.position)]
    found: dict[int, tuple[User, str]] = {}
    missing = []
    for position in positions:
        if position > len(called):
            missing.append(f"nobody is on call at position {position} now")
            continue
        for person in called[position - 1]:
            found.setdefault(person.pk, (person, f"{person}, on call at position {position}"))
    return list(found.values()), tuple(missing)


def _messages(channels: tuple[str, ...], people: list[tuple[User, str]]) -> list[Message]:
    made: dict[tuple[str, str], Message] = {}
    mailed: set[str] = set()
    browsers: dict[int, list[int]] = {}
    if Channel.PUSH in channels and people:
        rows = PushSubscription.objects.filter(user__in=[p.pk for p, _ in people], gone_at__isnull=True)
        for subscription, owner in rows.order_by("pk").values_list("pk", "user_id"):
            browsers.setdefault(owner, []).append(subscription)
    for person, words in people:
        key = f"user:{person.pk}"
        if Channel.EMAIL in channels and person.email and person.email.casefold() not in mailed:
            mailed.add(person.email.casefold())
            made.setdefault(("email", key), Message("email", key, words, person))
        if Channel.SMS in channels and person.phone:
            made.setdefault(("sms", key), Message("sms", key, words, person))
        for subscription in browsers.get(person.pk, []):
            made.setdefault(
                ("push", f"browser:{subscription}"),
                Message("push", f"browser:{subscription}", words, person),
            )
    if Channel.WEBHOOK in channels:
        made["webhook", "site"] = Message("webhook", "site", "the site's webhook")
    return list(made.values())


def _keys(rung: Rung, department: str) -> tuple[str, ...]:
    """Recipients of the page channel: a department that is unknown is the whole ER."""
    groups = [who.group for who in rung.who if who.group != Group.ON_CALL]
    named = [Group.ER.value if g == Group.DEPARTMENT and not department else str(g) for g in groups]
    return tuple(dict.fromkeys(named))


def _connected(audiences: tuple[Audience, ...], people: list[User]) -> int:
    present = connected_user_ids()
    return (number_connected(audiences) if audiences else 0) + sum(one.pk in present for one in people)
