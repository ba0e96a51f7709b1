"""Taking orders, and joining them with their studies, whichever comes first."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.models import LocationClass, Order, OrderPriority, Study
from pacs.orders.matching import OrderKey, StudyKey, belongs, best


def receive_order(
    *,
    accession_number: str,
    patient_id: str,
    issuer_of_patient_id: str = "",
    patient_name: str = "",
    study_instance_uid: str = "",
    priority: str = OrderPriority.ROUTINE,
    location_class: str = LocationClass.OUTPATIENT,
    location: str = "",
    department: str = "",
    requesting_physician: str = "",
    reason_for_exam: str = "",
    procedure: str = "",
    modality: str = "",
    ordered_at: datetime | None = None,
    user: User | None = None,
    channel: str = "system",
) -> tuple[Order, bool]:
    """Insert or update the order with this accession number and join it with its study if that is here.

    Returns:
        The order, and whether it is new.
    """
    values = {
        "patient_id": patient_id,
        "issuer_of_patient_id": issuer_of_patient_id,
        "patient_name": patient_name,
        "study_instance_uid": study_instance_uid,
        "priority": OrderPriority(priority),
        "location_class": LocationClass(location_class),
        "location": location,
        "department": department,
        "requesting_physician": requesting_physician,
        "reason_for_exam": reason_for_exam,
        "procedure": procedure,
        "modality": modality,
        "ordered_at": ordered_at or timezone.now(),
    }
    try:
        return _upsert(accession_number, values, user, channel)
    except IntegrityError:
        # Its study was joined, or the same order inserted, by another process meanwhile: look again.
        return _upsert(accession_number, values, user, channel)


def _upsert(
    accession_number: str, values: dict[str, object], user: User | None, channel: str
) -> tuple[Order, bool]:
    with transaction.atomic():
        order, created = Order.objects.select_for_update().update_or_create(
            accession_number=accession_number, defaults=values
        )
        study = _study_of(order)
        if order.study_id != (study.pk if study else None):
            order.study = study
            order.save(update_fields=["study", "updated_at"])
        audit.record(
            audit.Kind.PATIENT_RECORD,
            action="C" if created else "U",
            user=user,
            channel=channel,
            study_instance_uid=study.study_instance_uid if study else order.study_instance_uid,
            patient_id=order.patient_id,
            detail={"what": "order", "accession_number": accession_number},
        )
        events.publish(events.OrderReceived(order_id=order.pk, study_id=order.study_id))
    return order, created


def link_waiting_order(*, study: Study) -> Order | None:
    """Join a new study with the order that waits for it; called in the transaction that made the study."""
    if not study.accession_number and not study.study_instance_uid:
        return None
    key = _study_key(study)
    by_accession = Q(accession_number=study.accession_number) if study.accession_number else Q(pk__in=[])
    waiting = Order.objects.filter(study__isnull=True).filter(
        Q(study_instance_uid=study.study_instance_uid) | by_accession
    )
    found = best([(order.pk, _order_key(order)) for order in waiting], key)
    if found is None:
        return None
    if not Order.objects.filter(pk=found, study__isnull=True).update(study=study):
        return None
    events.publish(events.OrderReceived(order_id=found, study_id=study.pk))
    return Order.objects.get(pk=found)


def _study_of(order: Order) -> Study | None:
    """The study an order belongs to, among those without another order."""
    key = _order_key(order)
    by_uid = Q(study_instance_uid=order.study_instance_uid) if order.study_instance_uid else Q(pk__in=[])
    candidates = (
        Study.objects.filter(by_uid | Q(accession_number=order.accession_number))
        .filter(Q(order__isnull=True) | Q(order=order))
        .select_related("patient")
        .order_by("pk")
    )
    return next((study for study in candidates if belongs(key, _study_key(study))), None)


def _order_key(order: Order) -> OrderKey:
    return OrderKey(
        accession_number=order.accession_number,
        study_instance_uid=order.study_instance_uid,
        patient_id=order.patient_id,
        issuer_of_patient_id=order.issuer_of_patient_id,
    )


def _study_key(study: Study) -> StudyKey:
    return StudyKey(
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        patient_id=study.patient.patient_id,
        issuer_of_patient_id=study.patient.issuer_of_patient_id,
    )
