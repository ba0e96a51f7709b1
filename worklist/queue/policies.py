"""The priority policy as data: drafted, validated, made active with a reason, never changed afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, TypedDict

from django.db import IntegrityError, transaction
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.databases import exclusive
from foundation.transitions import IllegalTransition, LostRace, Machine
from worklist.queue.models import PolicyState, PriorityPolicy
from worklist.queue.priority import (
    CRITICALITIES,
    DEFAULT_POLICY,
    LOCATIONS,
    PRIORITIES,
    AgeBound,
    Policy,
    in_words,
)

LONGEST_MINUTES = 30 * 24 * 60
MOST_AGES = 20
_LOCK = 0x706F6C69
POLICY = Machine(
    name="priority policy",
    table={
        (PolicyState.DRAFT.value, "activate"): PolicyState.ACTIVE.value,
        (PolicyState.ACTIVE.value, "retire"): PolicyState.RETIRED.value,
    },
)
_FIELDS = ("target_minutes", "minutes_without_order", "maximum_wait_minutes", "finding_minutes", "ages")


class Trouble(TypedDict):
    """What is wrong with a document: where, as a path by dots, and in words what would do."""

    field: str
    message: str


class NotValid(ValueError):
    """The document makes no policy; `troubles` says why."""

    def __init__(self, troubles: list[Trouble]) -> None:
        super().__init__(" ".join(one["message"] for one in troubles))
        self.troubles = troubles


def active() -> Policy:
    """The policy in force, the same in every process: one small query, nothing kept between calls.

    A database without any (its shipped one is not written yet) ranks by the shipped one.
    """
    row = PriorityPolicy.objects.filter(state=PolicyState.ACTIVE).values_list("version", "document").first()
    return DEFAULT_POLICY if row is None else policy_of(*row)


def ensure_shipped() -> None:
    """Write the shipped policy as the active one where no version is active. Twice is harmless."""
    if PriorityPolicy.objects.filter(state=PolicyState.ACTIVE).exists():
        return
    try:
        with transaction.atomic():
            PriorityPolicy.objects.create(
                version=DEFAULT_POLICY.version,
                document=document_of(DEFAULT_POLICY),
                state=PolicyState.ACTIVE,
                reason="Shipped with Firstread.",
                activated_at=timezone.now(),
            )
    except IntegrityError:
        return  # another process was faster


def document_of(policy: Policy) -> dict[str, Any]:
    """The policy as JSON."""
    return {
        "target_minutes": {p: dict(policy.target_minutes[p]) for p in PRIORITIES},
        "minutes_without_order": policy.minutes_without_order,
        "maximum_wait_minutes": dict(policy.maximum_wait_minutes),
        "finding_minutes": dict(policy.finding_minutes),
        "ages": [
            {"from_years": age.from_years, "below_years": age.below_years, "minutes": age.minutes}
            for age in policy.ages
        ],
    }


def policy_of(version: str, document: Any) -> Policy:
    """The policy that a document describes.

    Raises:
        NotValid: it describes none.
    """
    troubles = troubles_of(document)
    if troubles:
        raise NotValid(troubles)
    return Policy(
        version=version,
        target_minutes=document["target_minutes"],
        minutes_without_order=document["minutes_without_order"],
        maximum_wait_minutes=document["maximum_wait_minutes"],
        finding_minutes=document["finding_minutes"],
        ages=tuple(AgeBound(**age) for age in document.get("ages", [])),
    )


def troubles_of(document: Any) -> list[Trouble]:
    """Everything that keeps `document` from being a policy; empty when nothing does."""
    if not isinstance(document, Mapping):
        return [Trouble(field="document", message="A policy is an object of minutes.")]
    unknown = sorted(set(document) - set(_FIELDS))
    found = [Trouble(field=name, message=f"{name} is no part of a policy.") for name in unknown]
    found += _targets(document.get("target_minutes"))
    found += _minutes("minutes_without_order", document.get("minutes_without_order"))
    found += _row("maximum_wait_minutes", document.get("maximum_wait_minutes"), PRIORITIES, PRIORITIES)
    found += _row("finding_minutes", document.get("finding_minutes"), CRITICALITIES, ())
    found += _ages(document.get("ages", []))
    return found


def _targets(value: Any) -> Iterator[Trouble]:
    if not isinstance(value, Mapping) or set(value) != set(PRIORITIES):
        yield Trouble(field="target_minutes", message="Targets are needed for STAT, ASAP and routine.")
        return
    wrong = False
    for priority in PRIORITIES:
        row = value[priority]
        if not isinstance(row, Mapping) or set(row) != set(LOCATIONS):
            where = f"target_minutes.{priority}"
            yield Trouble(field=where, message=f"Targets of {priority} are needed for every location.")
            return
        for location in LOCATIONS:
            for trouble in _minutes(f"target_minutes.{priority}.{location}", row[location]):
                wrong = True
                yield trouble
    for sooner, later in [] if wrong else pairwise(PRIORITIES):
        for location in LOCATIONS:
            if value[sooner][location] > value[later][location]:
                text = f"{later} from {location} must not be due before {sooner}."
                yield Trouble(field=f"target_minutes.{later}.{location}", message=text)


def _row(name: str, value: Any, names: tuple[str, ...], needed: tuple[str, ...]) -> Iterator[Trouble]:
    """Minutes by name that grow along `names`."""
    if not isinstance(value, Mapping) or set(needed) - set(value) or set(value) - set(names):
        yield Trouble(field=name, message=f"{name} needs minutes for {', '.join(needed or names)}.")
        return
    given = [one for one in names if one in value]
    troubles = [trouble for one in given for trouble in _minutes(f"{name}.{one}", value[one])]
    yield from troubles
    for sooner, later in [] if troubles else pairwise(given):
        if value[sooner] > value[later]:
            text = f"{later} must not have fewer minutes than {sooner}."
            yield Trouble(field=f"{name}.{later}", message=text)


def _ages(value: Any) -> Iterator[Trouble]:
    if not isinstance(value, list) or len(value) > MOST_AGES:
        yield Trouble(field="ages", message=f"Ages are a list of at most {MOST_AGES}.")
        return
    for number, age in enumerate(value):
        where = f"ages.{number}"
        if not isinstance(age, Mapping) or set(age) != {"from_years", "below_years", "minutes"}:
            yield Trouble(field=where, message="An age needs from_years, below_years and minutes.")
            continue
        yield from _minutes(f"{where}.minutes", age["minutes"])
        years = [age["from_years"], age["below_years"]]
        if not all(_number(one) for one in years) or not 0 <= years[0] < years[1] <= 150:
            text = "Years must grow, from 0 to at most 150."
            yield Trouble(field=f"{where}.below_years", message=text)


def _minutes(field: str, value: Any) -> list[Trouble]:
    if _number(value) and 1 <= value <= LONGEST_MINUTES:
        return []
    text = f"Give minutes from 1 to {LONGEST_MINUTES} ({in_words(LONGEST_MINUTES)})."
    return [Trouble(field=field, message=text)]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def draft(*, version: str, document: Any, reason: str, by: User) -> PriorityPolicy:
    """A new version that nothing is ranked by yet.

    Raises:
        NotValid: the document makes no policy, or the version is taken.
    """
    policy_of(version, document)
    try:
        with transaction.atomic():
            return PriorityPolicy.objects.create(
                version=version, document=document, reason=reason, created_by=by
            )
    except IntegrityError:
        text = f"Version {version} exists already. Give this one another name."
        raise NotValid([Trouble(field="version", message=text)]) from None


def change_draft(*, policy_id: int, document: Any) -> PriorityPolicy:
    """Other minutes for a draft.

    Raises:
        NotValid: the document makes no policy.
        LostRace: it is no draft any more.
    """
    policy_of("draft", document)
    drafts = PriorityPolicy.objects.filter(pk=policy_id, state=PolicyState.DRAFT)
    if not drafts.update(document=document):
        raise LostRace("Only a draft can be changed. Start a new version from this one.")
    return PriorityPolicy.objects.get(pk=policy_id)


def discard_draft(*, policy_id: int) -> None:
    """Forget a draft.

    Raises:
        LostRace: it is no draft any more.
    """
    if not PriorityPolicy.objects.filter(pk=policy_id, state=PolicyState.DRAFT).delete()[0]:
        raise LostRace("Only a draft can be discarded.")


def activate(*, policy_id: int, reason: str, by: User, request: Any = None) -> PriorityPolicy:
    """Make a draft the policy in force and retire the one before, in one transaction.

    The caller wakes the workers that rank the open list anew; the sweep does it otherwise.

    Raises:
        IllegalTransition: it is no draft.
        NotValid: its document makes no policy (any more).
    """
    with exclusive(_LOCK):
        policy = PriorityPolicy.objects.select_for_update().get(pk=policy_id)
        if policy.state != PolicyState.DRAFT:
            raise IllegalTransition(f"Version {policy.version} is {policy.state}, not a draft.")
        policy_of(policy.version, policy.document)
        before = PriorityPolicy.objects.select_for_update().filter(state=PolicyState.ACTIVE).first()
        if before is not None:
            POLICY.apply(before, "retire")
        POLICY.apply(policy, "activate", reason=reason, activated_by=by, activated_at=timezone.now())
        audit.record(
            audit.Kind.APPLICATION_ACTIVITY,
            action="E",
            user=by,
            request=request,
            detail={
                "what": "priority policy activated",
                "version": policy.version,
                "before": before.version if before else "",
                "reason": reason,
            },
        )
    return policy
