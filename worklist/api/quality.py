"""`/api/quality/`: AI results against signatures, and what they say of the models."""

from __future__ import annotations

from typing import Any

import django_filters
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from pacs.selectors import studies_visible_to
from worklist.api import auditing, report_shapes, shapes
from worklist.api.bodies import valid
from worklist.api.report_documents import review_document, signed_over_document, summary_document
from worklist.quality import selectors, services
from worklist.quality.models import Review, ReviewState
from worklist.reports.models import ReportVersion
from worklist.reports.selectors import signed_over

REVIEWERS = has_role(Role.QA_REVIEWER)
CHANGED = {200: report_shapes.Review, 409: shapes.Problem}


class ReviewFilter(django_filters.FilterSet):
    """Filters of the reviews."""

    state = django_filters.MultipleChoiceFilter(choices=ReviewState.choices)
    concordance = django_filters.MultipleChoiceFilter(choices=Review.Concordance.choices)
    sampled = django_filters.ChoiceFilter(
        choices=[("discordant", "Discordant"), ("random", "Random"), ("all", "All, sampled or not")],
        method="filter_sampled",
    )
    model = django_filters.CharFilter(field_name="run__model__name")
    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")

    class Meta:
        model = Review
        fields: list[str] = []

    def filter_sampled(self, queryset: Any, name: str, value: str) -> Any:
        return queryset if value == "all" else queryset.filter(sampled=value)


class ReviewViewSet(GenericViewSet[Review]):
    """Reviews, the latest signature first; without `sampled=` only those that somebody is asked to look at."""

    serializer_class = report_shapes.Review
    filterset_class = ReviewFilter
    lookup_value_regex = "[0-9]+"
    queryset = Review.objects.none()

    def get_queryset(self) -> Any:
        return selectors.current_reviews().filter(study__in=studies_visible_to(caller(self.request)))

    def get_permissions(self) -> list[BasePermission]:
        return [REVIEWERS()]

    def list(self, request: Request) -> Response:
        """AI results of signed studies."""
        reviews = self.filter_queryset(self.get_queryset())
        if not request.query_params.get("sampled"):
            reviews = reviews.exclude(sampled="")
        page = self.paginate_queryset(reviews)
        assert page is not None
        auditing.list_read(request, "reviews", frozenset(ReviewFilter.base_filters))
        return self.get_paginated_response([review_document(review) for review in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One review."""
        review = get_object_or_404(self.get_queryset(), pk=pk)
        auditing.study_read(request, review.study, "review")
        return Response(review_document(review))

    @extend_schema(request=report_shapes.ReviewComment, responses=CHANGED)
    @action(detail=True, methods=["post"])
    def agree(self, request: Request, pk: str) -> Response:
        """The caller sees it as the report does."""
        return self._say(services.agree, report_shapes.ReviewComment, pk)

    @extend_schema(request=report_shapes.ReviewComment, responses=CHANGED)
    @action(detail=True, methods=["post"])
    def disagree(self, request: Request, pk: str) -> Response:
        """The caller does not see it as the report does; somebody has to adjudicate."""
        return self._say(services.disagree, report_shapes.ReviewComment, pk)

    @extend_schema(request=report_shapes.Adjudication, responses=CHANGED)
    @action(detail=True, methods=["post"])
    def adjudicate(self, request: Request, pk: str) -> Response:
        """Say what holds true."""
        return self._say(services.adjudicate, report_shapes.Adjudication, pk)

    def _say(self, service: Any, shape: Any, pk: str) -> Response:
        said = valid(shape, self.request)
        review = get_object_or_404(self.get_queryset(), pk=pk)
        service(
            review_id=review.pk,
            by=caller(self.request),
            request=self.request._request,
            **said,
        )
        return Response(review_document(self.get_queryset().get(pk=pk)))


class SignedOver(GenericAPIView[ReportVersion]):
    """Checks before signing that somebody overrode, with their reasons; the latest signature first."""

    permission_classes = [REVIEWERS]
    serializer_class = report_shapes.SignedOver
    filter_backends: list[Any] = []
    queryset = ReportVersion.objects.none()

    def get(self, request: Request) -> Response:
        """Of the studies the caller may see."""
        page = self.paginate_queryset(signed_over(caller(request)))
        assert page is not None
        auditing.list_read(request, "checks signed over", frozenset())
        return self.get_paginated_response([signed_over_document(version) for version in page])


class QualitySummary(APIView):
    """How the models do at this site; no patient is named."""

    permission_classes = [has_role(Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)]

    @extend_schema(responses=report_shapes.QualitySummary(many=True))
    def get(self, request: Request) -> Response:
        """A two by two table for every model with reviews."""
        return Response([summary_document(model, table) for model, table in selectors.summary()])
