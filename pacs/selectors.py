"""Reading the archive."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import BooleanField, Case, F, Q, QuerySet, When

from foundation.accounts.models import Role, User
from pacs import storage
from pacs.models import Instance, LocationClass, Patient, QuarantinedObject, Series, Study, StudyState

# Rooms above know of further studies that somebody was told about (an alert); each gives a condition.
_told_of: list[Callable[[User], Q]] = []

# Rooms above withhold series from somebody for a while; each gives a condition on series, or None.
_withheld: list[Callable[[User], Q | None]] = []

SEES_ALL = (Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)


def studies_visible_to(user: User | AnonymousUser) -> QuerySet[Study]:
    """Studies a user may know of.

    ER staff see studies ordered for the ER: of their own department, or of all when their account names
    none; and studies that a room above told them of. The other roles see every study; an account without
    a role sees nothing.
    """
    if not isinstance(user, User):
        return Study.objects.none()
    if user.has_role(*SEES_ALL):
        return Study.objects.all()
    if user.has_role(Role.ER_STAFF):
        mine = Q(order__location_class=LocationClass.ER)
        if user.department:
            mine &= Q(order__department=user.department)
        for condition in _told_of:
            mine |= condition(user)
        return Study.objects.filter(mine)
    return Study.objects.none()


def also_visible(condition: Callable[[User], Q]) -> None:
    """Let ER staff see studies for which `condition(user)` holds. Registering twice is harmless."""
    if condition not in _told_of:
        _told_of.append(condition)


def withhold(condition: Callable[[User], Q | None]) -> None:
    """Keep series for which `condition(user)` holds from `user`. Registering twice is harmless."""
    if condition not in _withheld:
        _withheld.append(condition)


def withheld_from(user: User) -> Q | None:
    """A condition on series made here that `user` may not know of now; None when there are none."""
    found: Q | None = None
    for condition in _withheld:
        more = condition(user)
        if more is not None:
            found = more if found is None else found | more
    return found


def is_withheld(user: User, series: Series) -> bool:
    """True when `user` may not know of this series now. Only what was made here is ever withheld."""
    if not series.derived:
        return False
    condition = withheld_from(user)
    return condition is not None and Series.objects.filter(condition, pk=series.pk).exists()


def hide_withheld(user: User, studies: Sequence[Study]) -> None:
    """Take what `user` may not know of out of these studies' counts and modalities, on the loaded rows.

    One query more when something is withheld, however many studies there are.
    """
    condition = withheld_from(user)
    if condition is None or not studies:
        return
    mine = {study.pk: study for study in studies}
    kept: dict[int, set[str]] = {study_id: set() for study_id in mine}
    hidden: set[int] = set()
    series = Series.objects.filter(study_id__in=mine).annotate(
        held_back=Case(When(condition, then=True), default=False, output_field=BooleanField())
    )
    for study_id, modality, count, back in series.values_list(
        "study_id", "modality", "number_of_instances", "held_back"
    ):
        if back:
            mine[study_id].number_of_series -= 1
            mine[study_id].number_of_instances -= count
            hidden.add(study_id)
        else:
            kept[study_id].add(modality)
    for study_id in hidden:
        mine[study_id].modalities = "\\".join(sorted(name for name in kept[study_id] if name))


def instance_paths(series: Series) -> list[tuple[Instance, Path]]:
    """Instances of a series with their files, by instance number."""
    ordered = series.instances.order_by(F("instance_number").asc(nulls_last=True), "sop_instance_uid")
    return [(instance, storage.path_of(instance)) for instance in ordered]


def metadata_of(instance: Instance) -> dict[str, Any]:
    """An instance's DICOM JSON (PS3.18 F) without bulk data."""
    content: dict[str, Any] = json.loads(zlib.decompress(bytes(instance.metadata)))
    return content


def priors_of(study: Study) -> QuerySet[Study]:
    """Complete studies of the same patient made before this one, latest first.

    Studies without a Patient ID have no priors: nothing says that they are the same person. Studies
    without a date count as neither before nor after and are left out.
    """
    patient: Patient = study.patient
    if not patient.patient_id or not study.study_date:
        return Study.objects.none()
    return (
        Study.objects.filter(patient=patient, state=StudyState.COMPLETE, study_date__gt="")
        .filter(study_date__lte=study.study_date)
        .exclude(pk=study.pk)
        .exclude(study_date=study.study_date, study_time__gte=study.study_time)
        .order_by("-study_date", "-study_time")
    )


def open_quarantine() -> QuerySet[QuarantinedObject]:
    """Quarantined objects nobody has decided on, latest first."""
    return QuarantinedObject.objects.filter(resolved_at__isnull=True).order_by("-received_at")
