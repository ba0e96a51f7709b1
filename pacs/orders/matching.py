"""Which order belongs to which study? A pure rule over plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class OrderKey:
    """What of an order speaks for a study."""

    accession_number: str
    study_instance_uid: str
    patient_id: str
    issuer_of_patient_id: str


@dataclass(frozen=True)
class StudyKey:
    """What of a study speaks for an order."""

    study_instance_uid: str
    accession_number: str
    patient_id: str
    issuer_of_patient_id: str


def belongs(order: OrderKey, study: StudyKey) -> bool:
    """True when the order asks for this study.

    The patient must be the same in any case: a Study Instance UID or accession number typed for somebody
    else must not give one patient's priority and reason for exam to another. A study without a Patient ID
    is matched by Study Instance UID only. Among the same patient's, an order that names a Study Instance
    UID means that study and no other; otherwise the accession number decides.
    """
    if study.patient_id and order.patient_id != study.patient_id:
        return False
    issuers = {order.issuer_of_patient_id, study.issuer_of_patient_id} - {""}
    if len(issuers) > 1:
        return False
    if order.study_instance_uid:
        return order.study_instance_uid == study.study_instance_uid
    return bool(
        study.patient_id and order.accession_number and order.accession_number == study.accession_number
    )


def best(orders: Iterable[tuple[int, OrderKey]], study: StudyKey) -> int | None:
    """Id of the order that belongs to the study: one by Study Instance UID before one by accession."""
    fitting = [(bool(key.study_instance_uid), -pk) for pk, key in orders if belongs(key, study)]
    return -max(fitting)[1] if fitting else None
