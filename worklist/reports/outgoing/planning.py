"""Which versions go where: decided once a version, in order, from the database alone.

A destination gets what is signed while it is active and what its filter asks for. Once a version of a
report is on its way to it, every later version follows, whatever the filter or the switch says by then:
nobody may be left with words that were taken back.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from pacs.models import Study
from worklist.reports.models import Report, ReportVersion
from worklist.reports.outgoing.models import DeliveryState, Destination, ReportDelivery, ReportDispatch

BATCH = 100


def wants(
    *,
    modalities: Iterable[str],
    location_classes: Iterable[str],
    study_modalities: Iterable[str],
    location_class: str,
) -> bool:
    """Whether a filter lets a study through.

    Args:
        modalities, location_classes: of the filter; empty asks for all.
        study_modalities: Modalities in Study.
        location_class: of the order, "" without one; then only a filter without locations matches.
    """
    asked, places = set(modalities), set(location_classes)
    return (not asked or bool(asked & set(study_modalities))) and (not places or location_class in places)


def plan(*, report_id: int) -> int:
    """Decide where the versions of a report go that nobody decided on yet; returns how many deliveries."""
    with transaction.atomic():
        # The row lock makes two who plan the same report do it one after the other.
        report = (
            Report.objects.select_for_update(of=("self",)).select_related("study__order").get(pk=report_id)
        )
        undecided = list(report.versions.filter(dispatch__isnull=True).order_by("version"))
        if not undecided:
            return 0
        destinations = list(Destination.objects.order_by("pk"))
        reached = set(
            ReportDelivery.objects.filter(version__report=report)
            .exclude(state=DeliveryState.DISCARDED)
            .values_list("destination_id", flat=True)
        )
        now, made = timezone.now(), []
        for version in undecided:
            for destination in destinations:
                if destination.pk in reached or _asks(destination, version, report.study):
                    reached.add(destination.pk)
                    made.append(
                        ReportDelivery(
                            version=version,
                            destination=destination,
                            next_attempt_at=now,
                            control_id=uuid.uuid4().hex[:20],
                        )
                    )
        ReportDelivery.objects.bulk_create(made)
        ReportDispatch.objects.bulk_create([ReportDispatch(version=one, at=now) for one in undecided])
        return len(made)


def plan_missing(limit: int = BATCH) -> int:
    """Plan the reports that no event planned, oldest first; returns how many deliveries came of it."""
    missing = ReportVersion.objects.filter(dispatch__isnull=True).order_by("report_id")
    reports = list(missing.values_list("report_id", flat=True).distinct()[:limit])
    return sum(plan(report_id=report_id) for report_id in reports)


def _asks(destination: Destination, version: ReportVersion, study: Study) -> bool:
    order = getattr(study, "order", None)
    return (
        destination.active
        and version.at >= destination.since
        and wants(
            modalities=destination.modalities,
            location_classes=destination.location_classes,
            study_modalities=study.modalities.split("\\"),
            location_class=order.location_class if order else "",
        )
    )
