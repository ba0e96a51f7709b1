"""Writes an item's rank: creates it with the first image, ranks it anew with every piece of news."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import CharField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.utils import timezone

from foundation.events import WorklistItemChanged, publish
from pacs.demographics import age_years
from pacs.models import Instance, LocationClass, Order, OrderPriority, Study
from triage.models import TriagePlan, TriageRun
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.queue import grouping, ledger, policies, search
from worklist.queue.ai import AiState, ai_state_of
from worklist.queue.models import UNREAD_STATES, ItemState, RankChange, WorklistItem
from worklist.queue.priority import OrderUrgency, Policy, Raised, Reason, higher, rank

# Clocks of several machines differ: news is looked for again until it is this old.
CLOCK_TOLERANCE = timedelta(seconds=30)
SWEEP_BATCH = 200


def place(
    *,
    study_id: int,
    cause: str,
    tell_anyway: bool = False,
    promotes: bool = True,
    policy: Policy | None = None,
) -> WorklistItem:
    """Put the study on the worklist, or rank it anew; returns its item.

    Idempotent: a row of history, a new version and a message to open pages only when something
    changed. A signed study keeps its state and rank; what AI says of late images is still told.

    Args:
        study_id: the study.
        cause: for the history, e.g. "order received".
        tell_anyway: something else that the list shows changed (images, a result), so raise the version.
        promotes: a move up is one study passing others, and the ledger says whom; False when a new policy
            moves all.
        policy: minutes; the active ones unless told.
    """
    with transaction.atomic():
        study = Study.objects.select_related("order").get(pk=study_id)
        item, created = WorklistItem.objects.get_or_create(
            study=study,
            defaults={
                "arrived_at": study.received_at,
                "due_at": study.received_at,
                "due_without_ai_at": study.received_at,
            },
        )
        # The lock comes before order and runs are read: whoever waits for it reads newer ones.
        locked = WorklistItem.objects.select_for_update(of=("self",)).select_related("study__patient")
        item = locked.get(pk=item.pk)
        # Read under the lock: a policy that became active meanwhile is not missed.
        policy = policy or policies.active()
        stood_at = None if created else item.due_at
        values, cause = _rank_values(item, policy), "arrived" if created else cause
        changed = [name for name, value in values.items() if getattr(item, name) != value]
        regrouped = grouping.keep(item, study, values.get("location_class", item.location_class))
        rank_changed = created or "due_at" in changed or "reasons" in changed
        update: dict[str, Any] = {name: values[name] for name in changed}
        if (changed or regrouped or tell_anyway) and not created:
            update["version"] = F("version") + 1
        WorklistItem.objects.filter(pk=item.pk).update(ranked_at=timezone.now() - CLOCK_TOLERANCE, **update)
        item.refresh_from_db()
        if rank_changed:
            RankChange.objects.create(
                item=item,
                cause=cause,
                policy_version=policy.version,
                due_at=item.due_at,
                reasons=item.reasons,
            )
            if promotes:
                ledger.record(item=item, stood_at=stood_at, cause=cause, policy=policy)
        if changed or created or regrouped or tell_anyway:
            tell(item)
    return item


def tell(item: WorklistItem) -> None:
    """Open pages and other rooms hear that `item` is at a new version."""
    announce(Topic.WORKLIST, item.pk, item.version)
    publish(WorklistItemChanged(item_id=item.pk))


def place_lost(limit: int = SWEEP_BATCH) -> int:
    """Place what no event placed: studies without an item, and items older than their news.

    Returns how many were looked at.
    """
    missing = list(Study.objects.filter(worklist_item__isnull=True).values_list("pk", flat=True)[:limit])
    for study_id in missing:
        place(study_id=study_id, cause="found by the sweep")
    behind = list(
        _behind_their_news().exclude(study_id__in=missing).values_list("study_id", flat=True)[:limit]
    )
    for study_id in behind:
        place(study_id=study_id, cause="found by the sweep")
    return len(missing) + len(behind)


def follow_policy(limit: int = SWEEP_BATCH) -> int:
    """Rank anew what another policy than the active one ranked, the most urgent first; returns how many.

    One transaction an item, so that readers and results never wait for the whole list. Safe to run twice.
    """
    policy = policies.active()
    behind = WorklistItem.objects.filter(state__in=UNREAD_STATES).exclude(policy_version=policy.version)
    study_ids = list(behind.order_by("due_at", "arrived_at", "pk").values_list("study_id", flat=True)[:limit])
    for study_id in study_ids:
        place(study_id=study_id, cause=f"policy {policy.version}", promotes=False)
    return len(study_ids)


def _behind_their_news() -> QuerySet[WorklistItem]:
    """Unread items whose order, images or runs changed after the rank was last looked at."""
    study, looked = OuterRef("study_id"), OuterRef("ranked_at")
    runs = TriageRun.objects.filter(study_id=study).filter(
        Q(created_at__gt=looked) | Q(started_at__gt=looked) | Q(finished_at__gt=looked)
    )
    orders = (
        Order.objects.annotate(
            _raised_to=ExpressionWrapper(OuterRef("raised_to"), output_field=CharField()),
            _class=ExpressionWrapper(OuterRef("priority_class"), output_field=CharField()),
        )
        .filter(study_id=study)
        .filter(
            Q(updated_at__gt=looked)
            # An order that only now was joined with its study may be older than the rank.
            | ~Q(priority=OuterRef("priority_class")) & _not_explained_by_a_reader()
            | ~Q(location_class=OuterRef("location_class"))
        )
    )
    return WorklistItem.objects.filter(state__in=UNREAD_STATES).filter(
        Q(ranked_at__isnull=True)
        | Q(search_text="")
        | Q(study__completed_at__gt=F("ranked_at"))
        | Exists(orders)
        | Exists(runs)
        | Exists(TriagePlan.objects.filter(study_id=study, planned_at__gt=looked))
    )


def _not_explained_by_a_reader() -> Q:
    """Of orders: nobody raised the study, or only to less than the order asks."""
    # The outer item of a subquery: its class is the higher of order and reader.
    return Q(_raised_to="") | Q(priority="stat") | Q(priority="asap", _class="routine")


def _second_opinions(ai: AiState) -> list[Reason]:
    """In words and without minutes: what a second model says moves no deadline by itself."""
    return [Reason(code="second_opinion", text=f"AI: {text}", minutes=None) for text in ai.second_opinions]


def _rank_values(item: WorklistItem, policy: Policy) -> dict[str, Any]:
    """What the item's rank fields should be, by what is known now."""
    study = item.study
    order = Order.objects.filter(study_id=study.pk).first()
    ai = ai_state_of(study)
    told = {
        "ai_status": ai.status.value,
        "ai_reason": ai.reason[:500],
        "ai_flagged": bool(ai.findings),
        "search_text": search.text_of(study, order),
    }
    if item.state == ItemState.SIGNED:
        return told | {"reasons": _late_images(item)}
    answer = rank(
        arrived_at=item.arrived_at,
        order=OrderUrgency(order.priority, order.location_class) if order else None,
        findings=ai.findings,
        age_years=age_years(study.patient_age, study.patient.patient_birth_date, study.study_date),
        policy=policy,
        raised=raised_of(item),
    )
    # A hold ends by the deadline, also by one that just came nearer.
    if item.held_until is not None and item.held_until > answer.due:
        told["held_until"] = answer.due
    return told | {
        "priority_class": higher(order.priority if order else OrderPriority.ROUTINE.value, item.raised_to),
        "location_class": order.location_class if order else LocationClass.OUTPATIENT.value,
        "due_at": answer.due,
        "due_without_ai_at": answer.due_without_ai,
        "reasons": [*answer.reasons, *_second_opinions(ai)],
        "policy_version": policy.version,
    }


def raised_of(item: WorklistItem) -> Raised | None:
    """What a reader said of the item's urgency; None where nobody did."""
    if not item.raised_to or item.raised_at is None:
        return None
    by = str(item.raised_by) if item.raised_by else ""
    return Raised(to=item.raised_to, at=item.raised_at, by=by, reason=item.raised_reason)


def _late_images(item: WorklistItem) -> list[dict[str, Any]]:
    """The signed item's reasons, and one more when the modality sent images after the signature."""
    count = Instance.objects.filter(
        series__study_id=item.study_id, series__derived=False, stored_at__gt=item.signed_at
    ).count()
    reasons = [reason for reason in item.reasons if reason["code"] != "late_images"]
    if count:
        text = f"{count} image{'s' if count > 1 else ''} arrived after signing"
        reasons.append({"code": "late_images", "text": text, "minutes": None})
    return reasons
