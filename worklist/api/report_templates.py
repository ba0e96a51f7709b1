"""`/api/report-templates/`: versions of report templates; administrators write, readers choose."""

from __future__ import annotations

from typing import Any

import django_filters
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from worklist.api import shapes
from worklist.api.bodies import valid
from worklist.api.template_documents import template_document
from worklist.reports.templates import content as contents
from worklist.reports.templates import mrrt, preview, services
from worklist.reports.templates.models import ReportTemplate, TemplateSource, TemplateState
from worklist.reports.templates.selectors import templates

ADMINISTRATORS = has_role(Role.PACS_ADMINISTRATOR)
READERS = has_role(Role.PACS_ADMINISTRATOR, Role.RADIOLOGIST, Role.QA_REVIEWER)


def _words() -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=60), max_length=30, required=False)


class TemplateDocument(serializers.Serializer):
    id = serializers.CharField()
    key = serializers.CharField()
    version = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=TemplateState.choices)
    source = serializers.ChoiceField(choices=TemplateSource.choices)  # type: ignore[assignment]
    modalities = serializers.ListField(child=serializers.CharField())
    body_parts = serializers.ListField(child=serializers.CharField())
    words = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField(allow_blank=True)
    made_by = shapes.Person(allow_null=True)
    made_at = serializers.DateTimeField()
    moved_by = shapes.Person(allow_null=True)
    moved_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class TemplateDetail(TemplateDocument):
    content = serializers.JSONField(help_text="docs/guides/report-templates.md says what it holds.")


class NewTemplate(serializers.Serializer):
    key = serializers.CharField(max_length=60, required=False, allow_blank=True)
    name = serializers.CharField(max_length=120)
    content = serializers.JSONField()
    modalities = _words()
    body_parts = _words()
    words = _words()
    note = serializers.CharField(max_length=300, required=False, allow_blank=True)
    imported = serializers.BooleanField(required=False)


class TemplateMove(serializers.Serializer):
    reason = serializers.CharField(max_length=300)


class PreviewRequest(serializers.Serializer):
    content = serializers.JSONField()


class PreviewSection(serializers.Serializer):
    key = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True, help_text="Default text and the sentence of each field.")


class Preview(serializers.Serializer):
    problems = serializers.ListField(child=serializers.CharField())
    sections = PreviewSection(many=True)


class MrrtFile(serializers.Serializer):
    html = serializers.CharField(max_length=mrrt.LONGEST, trim_whitespace=False)


class MrrtProposal(serializers.Serializer):
    name = serializers.CharField()
    content = serializers.JSONField()
    warnings = serializers.ListField(child=serializers.CharField())


class InvalidContent(shapes.Problem):
    """What is wrong with a template."""

    problems = serializers.ListField(child=serializers.CharField())


class TemplateFilter(django_filters.FilterSet):
    """Filters of the templates."""

    state = django_filters.MultipleChoiceFilter(choices=TemplateState.choices)
    key = django_filters.CharFilter()

    class Meta:
        model = ReportTemplate
        fields: list[str] = []


class ReportTemplateViewSet(GenericViewSet[ReportTemplate]):
    """Report templates; no patient data."""

    serializer_class = TemplateDocument
    filterset_class = TemplateFilter
    lookup_value_regex = "[0-9]+"
    queryset = ReportTemplate.objects.none()

    def get_queryset(self) -> Any:
        return templates()

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action in ("list", "retrieve") else ADMINISTRATORS()]

    def list(self, request: Request) -> Response:
        """Every version, by name, the latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        return self.get_paginated_response([template_document(one, whole=False) for one in page])

    @extend_schema(responses=TemplateDetail)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One version with its content."""
        return Response(template_document(get_object_or_404(self.get_queryset(), pk=pk)))

    @extend_schema(request=NewTemplate, responses={201: TemplateDetail, 422: InvalidContent})
    def create(self, request: Request) -> Response:
        """A further version, as a draft; it is used once it is activated."""
        said = valid(NewTemplate, request)
        imported = said.pop("imported", False)
        try:
            template = services.add_version(
                **said,
                source=TemplateSource.MRRT if imported else TemplateSource.SITE,
                by=caller(request),
                request=request._request,
            )
        except contents.InvalidTemplate as error:
            raise _invalid(error) from None
        return Response(template_document(template), status=201)

    @extend_schema(request=TemplateMove, responses={200: TemplateDetail, 409: shapes.Problem})
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """New reports take this version; the one before is retired."""
        return self._move(services.activate, pk)

    @extend_schema(request=TemplateMove, responses={200: TemplateDetail, 409: shapes.Problem})
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: str) -> Response:
        """No new report takes this version."""
        return self._move(services.retire, pk)

    @extend_schema(request=PreviewRequest, responses=Preview)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """How reports of this content would read, or what is wrong with it; nothing is kept."""
        said = valid(PreviewRequest, request)
        try:
            content = contents.parse(said["content"])
        except contents.InvalidTemplate as error:
            return Response({"problems": error.problems, "sections": []})
        return Response({"problems": [], "sections": preview.sections(content)})

    @extend_schema(request=MrrtFile, responses={200: MrrtProposal, 422: shapes.Problem})
    @action(detail=False, methods=["post"], url_path="read-mrrt")
    def read_mrrt(self, request: Request) -> Response:
        """What an RSNA MRRT file would become; nothing is kept."""
        said = valid(MrrtFile, request)
        try:
            found = mrrt.read(said["html"])
        except mrrt.NotMrrt as error:
            raise Problem(422, "This cannot be imported", str(error)) from None
        return Response({"name": found.name, "content": found.content, "warnings": found.warnings})

    def _move(self, move: Any, pk: str) -> Response:
        said = valid(TemplateMove, self.request)
        template = get_object_or_404(self.get_queryset(), pk=pk)
        move(template_id=template.pk, by=caller(self.request), request=self.request._request, **said)
        return Response(template_document(self.get_queryset().get(pk=pk)))


def _invalid(error: contents.InvalidTemplate) -> Problem:
    return Problem(422, "The template is not right", " ".join(error.problems), problems=error.problems)
