"""`/api/triage-runs/`: what AI was asked and what it answered."""

from __future__ import annotations

from typing import Any

import django_filters
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from triage.models import RunState, TriageRun
from worklist.api import auditing, blinding, documents, shapes
from worklist.api.ppv import local_ppv
from worklist.api.rows import runs_for


class RunFilter(django_filters.FilterSet):
    """Filters of the runs."""

    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")
    state = django_filters.MultipleChoiceFilter(choices=RunState.choices)
    model = django_filters.CharFilter(field_name="model__name")

    class Meta:
        model = TriageRun
        fields: list[str] = []


class TriageRunViewSet(GenericViewSet[TriageRun]):
    """Runs, the latest first. Those of shadow models are for QA, administrators and programs."""

    permission_classes = [has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)]
    serializer_class = shapes.TriageRun
    filterset_class = RunFilter
    queryset = TriageRun.objects.none()

    def get_queryset(self) -> Any:
        user = caller(self.request)
        return blinding.without_hidden(runs_for(user), user)

    def list(self, request: Request) -> Response:
        """The latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "triage runs", frozenset(RunFilter.base_filters))
        view = documents.View(user_id=caller(request).pk, ppv=local_ppv(documents.model_ids(page)))
        return self.get_paginated_response([documents.run_document(run, view) for run in page])
