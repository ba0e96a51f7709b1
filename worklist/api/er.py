"""`/api/er/patients/`: the ER's wall, one row a patient."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from pacs.models import LocationClass, StudyState
from pacs.selectors import studies_visible_to
from worklist.alerts.models import OPEN_ALERT_STATES, Alert
from worklist.alerts.selectors import alerts_of
from worklist.api import auditing, blinding, documents, shapes
from worklist.api.patients import patient_document
from worklist.api.ppv import local_ppv
from worklist.api.rows import items_for_er
from worklist.queue.models import ItemState, WorklistItem
from worklist.reading.selectors import Blindness, blindness

SIGNED_STAYS = timedelta(hours=24)


class ErPatients(GenericAPIView[WorklistItem]):
    """ER patients of the caller's department, with alerts and signed reports."""

    permission_classes = [has_role(Role.ER_STAFF, Role.RADIOLOGIST)]
    serializer_class = shapes.ErPatient
    filter_backends: list[Any] = []
    queryset = WorklistItem.objects.none()

    def get_queryset(self) -> Any:
        """Unread ER studies, those signed within a day, and whatever alerts; open alerts first."""
        user = caller(self.request)
        mine = blinding.alerts(alerts_of(user), user).filter(study_id=OuterRef("study_id"))
        rings = Exists(mine.filter(state__in=OPEN_ALERT_STATES))
        in_er = Q(location_class=LocationClass.ER, study__in=studies_visible_to(user))
        current = ~Q(state=ItemState.SIGNED) | Q(signed_at__gte=timezone.now() - SIGNED_STAYS)
        return (
            items_for_er()
            .annotate(rings=rings)
            .filter(Q(rings=True) | (current & (in_er | Exists(mine))))
            .order_by("-rings", "due_at", "arrived_at", "pk")
        )

    @extend_schema(responses=shapes.ErPatient(many=True))
    def get(self, request: Request) -> Response:
        """Patients whose alert rings first, then by deadline."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        auditing.list_read(request, "ER patients", frozenset())
        user = caller(request)
        allowed = set(
            blinding.alerts(alerts_of(user), user)
            .filter(study__in=[i.study_id for i in page])
            .values_list("pk", flat=True)
        )
        blind = blindness(user, [item.study_id for item in page])
        shown = {item.pk: _shown_alert(item, allowed) for item in page}
        ppv = local_ppv(documents.model_ids(alert.finding.run for alert in shown.values() if alert))
        view = documents.View(user_id=user.pk, ppv=ppv)
        return self.get_paginated_response([_document(item, shown[item.pk], view, blind) for item in page])


def _shown_alert(item: WorklistItem, allowed: set[int]) -> Alert | None:
    """The one that rings, otherwise the latest."""
    alerts = [alert for alert in item.study.all_alerts if alert.pk in allowed]  # type: ignore[attr-defined]
    ringing = [alert for alert in alerts if alert.state in OPEN_ALERT_STATES]
    return next(iter(ringing or alerts), None)


def _document(
    item: WorklistItem, alert: Alert | None, view: documents.View, blind: Blindness
) -> dict[str, Any]:
    hidden = blind.of(item.study_id)
    study = item.study
    order, report = documents.order_of(study), documents.report_of(study)
    stage, since = _stage(item)
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient": patient_document(study),
        "accession_number": study.accession_number or (order.accession_number if order else ""),
        "location": order.location if order else "",
        "priority_class": item.priority_class,
        "stage": stage,
        "stage_since": since,
        "arrived_at": item.arrived_at,
        "ai_status": blinding.HIDDEN if hidden else item.ai_status,
        "ai_reason": "" if hidden else item.ai_reason,
        "alert": documents.alert_document(alert, view) if alert else None,
        "preview_url": documents.preview_url(study, alert.finding if alert else None),
        "report": {
            "id": str(report.pk),
            "state": report.state,
            "impression": documents.impression_of(report),
            "signed_at": report.signed_at,
            "signed_by": documents.person(report.signed_by),
        }
        if report is not None and report.signed_at is not None
        else None,
    }


def _stage(item: WorklistItem) -> tuple[str, datetime]:
    if item.state == ItemState.SIGNED:
        return "signed", item.signed_at or item.arrived_at
    if item.state == ItemState.CLAIMED:
        return "being_read", item.claimed_at or item.arrived_at
    if item.study.state == StudyState.COMPLETE and item.study.completed_at is not None:
        return "complete", item.study.completed_at
    return "scanned", item.arrived_at
