"""`/api/reports/`: draft, edit, decide, sign, add."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django_filters
from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.accounts.services import confirm_password
from foundation.problems import Problem
from foundation.transitions import IllegalTransition, LostRace
from pacs.selectors import studies_visible_to
from worklist import flows
from worklist.api import auditing, documents, report_shapes, shapes
from worklist.api.bodies import valid
from worklist.api.report_documents import (
    check_documents,
    report_documents,
    reports_for,
    waiting_document,
)
from worklist.fhircast import services as desk
from worklist.queue import claims
from worklist.queue.models import ItemState
from worklist.reading.selectors import is_hidden
from worklist.reports import services
from worklist.reports.checks import Override, ShownPatient
from worklist.reports.conclusions import UnknownConclusion
from worklist.reports.editing import Verdict
from worklist.reports.models import Report, ReportState
from worklist.reports.selectors import waiting_for_cosignature
from worklist.reports.templates.fields import WrongValue

READERS = has_role(Role.RADIOLOGIST, Role.ER_STAFF, Role.QA_REVIEWER, Role.SERVICE)
RADIOLOGISTS = has_role(Role.RADIOLOGIST)
READING = frozenset({"list", "retrieve"})
WRITTEN = {200: report_shapes.Report, 409: report_shapes.ReportConflict}


class ReportFilter(django_filters.FilterSet):
    """Filters of the reports."""

    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")
    state = django_filters.ChoiceFilter(choices=ReportState.choices)

    class Meta:
        model = Report
        fields: list[str] = []


class ReportViewSet(GenericViewSet[Report]):
    """Reports: radiologists see drafts and write; others see what is signed."""

    serializer_class = report_shapes.Report
    filterset_class = ReportFilter
    lookup_value_regex = "[0-9]+"
    queryset = Report.objects.none()

    def get_queryset(self) -> Any:
        return reports_for(caller(self.request))

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action in READING else RADIOLOGISTS()]

    def list(self, request: Request) -> Response:
        """The latest change first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "reports", frozenset(ReportFilter.base_filters))
        if "study_instance_uid" in request.query_params:
            for report in page:
                auditing.study_read(request, report.study, "report")
        return self.get_paginated_response(report_documents(page, caller(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One report."""
        report = self._report(pk)
        auditing.study_read(request, report.study, "report")
        return Response(report_documents([report], caller(request))[0])

    @extend_schema(
        request=report_shapes.NewReport, responses={200: report_shapes.Report, 404: shapes.Problem}
    )
    def create(self, request: Request) -> Response:
        """The study's report: a new draft, or the one there is."""
        asked = valid(report_shapes.NewReport, request)
        study = get_object_or_404(
            studies_visible_to(caller(request)).select_related("patient", "order"),
            study_instance_uid=asked["study_instance_uid"],
        )
        report = services.open_draft(study=study, by=caller(request), request=request._request)
        desk.open_study(user=caller(request), study=study, report_id=report.pk)
        auditing.study_read(request, study, "report")
        return self._answer(report.pk)

    @extend_schema(request=report_shapes.ReportEdit, responses=WRITTEN)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Keep text and conclusions of a draft; 409 with the current report when somebody was faster."""
        said = valid(report_shapes.ReportEdit, request)
        with self._conflicts(pk):
            services.save(
                report_id=self._report(pk).pk,
                version=said["version"],
                texts={section["key"]: section["text"] for section in said.get("sections", [])},
                conclusions={c["code"]: c["value"] for c in said.get("conclusions", [])},
                fields={one["key"]: one["value"] for one in said.get("answers", [])},
                by=caller(request),
                request=request._request,
            )
        return self._answer(pk)

    @extend_schema(request=report_shapes.TemplateChoice, responses=WRITTEN)
    @action(detail=True, methods=["post"], url_path="template")
    def use_template(self, request: Request, pk: str) -> Response:
        """Go on with another template; every word stays."""
        said = valid(report_shapes.TemplateChoice, request)
        with self._conflicts(pk):
            services.use_template(
                report_id=self._report(pk).pk,
                template_id=said["template"],
                version=said["version"],
                by=caller(request),
                request=request._request,
            )
        return self._answer(pk)

    @extend_schema(
        request=report_shapes.Decision,
        responses=WRITTEN,
        parameters=[OpenApiParameter("finding_id", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, methods=["post"], url_path="findings/(?P<finding_id>[0-9]+)")
    def decide(self, request: Request, pk: str, finding_id: str) -> Response:
        """Accept, reject or doubt a possible finding; sentences and conclusion follow."""
        said = valid(report_shapes.Decision, request)
        self._sees_ai(pk)
        with self._conflicts(pk):
            services.decide(
                report_id=self._report(pk).pk,
                finding_id=int(finding_id),
                decision=Verdict(said["decision"]) if said["decision"] else None,
                version=said["version"],
                by=caller(request),
                request=request._request,
            )
        return self._answer(pk)

    @extend_schema(
        request=report_shapes.SuggestionState,
        responses=WRITTEN,
        parameters=[OpenApiParameter("suggestion_id", str, OpenApiParameter.PATH)],
    )
    @action(detail=True, methods=["post"], url_path="suggestions/(?P<suggestion_id>[a-z]+-[0-9]+)")
    def suggestion(self, request: Request, pk: str, suggestion_id: str) -> Response:
        """Take or leave one suggested sentence."""
        said = valid(report_shapes.SuggestionState, request)
        self._sees_ai(pk)
        with self._conflicts(pk):
            services.set_suggestion(
                report_id=self._report(pk).pk,
                suggestion_id=suggestion_id,
                by=caller(request),
                request=request._request,
                **said,
            )
        return self._answer(pk)

    @extend_schema(request=report_shapes.Signing, responses={**WRITTEN, 422: report_shapes.NotReady})
    @action(detail=True, methods=["post"])
    def sign(self, request: Request, pk: str) -> Response:
        """Sign; 422 with the open checks, 409 when the report changed or somebody else holds the study.

        A resident's signature makes the report preliminary; an attending's under it makes it final.
        """
        said = valid(report_shapes.Signing, request)
        _confirm(request, said)
        shown = said.get("patient")
        with self._conflicts(pk):
            flows.sign_report(
                report_id=self._report(pk).pk,
                version=said["version"],
                overrides=[Override(**one) for one in said.get("overrides", [])],
                by=caller(request),
                preliminary=said.get("preliminary", False),
                shown_patient=ShownPatient(shown["id"], shown["name"]) if shown else None,
                request=request._request,
            )
        return self._answer(pk)

    @extend_schema(request=report_shapes.Addendum, responses=WRITTEN)
    @action(detail=True, methods=["post"])
    def addendum(self, request: Request, pk: str) -> Response:
        """Sign an addition to a signed report; a changed conclusion makes it a correction."""
        said = valid(report_shapes.Addendum, request)
        _confirm(request, said)
        with self._conflicts(pk):
            services.add_addendum(
                report_id=self._report(pk).pk,
                text=said["text"],
                conclusions={c["code"]: c["value"] for c in said.get("conclusions", [])},
                by=caller(request),
                request=request._request,
            )
        return self._answer(pk)

    @extend_schema(request=report_shapes.Amendment, responses=WRITTEN)
    @action(detail=True, methods=["post"])
    def amend(self, request: Request, pk: str) -> Response:
        """Sign new words in the place of old ones, with a reason; every earlier version stays."""
        said = valid(report_shapes.Amendment, request)
        _confirm(request, said)
        with self._conflicts(pk):
            services.amend(
                report_id=self._report(pk).pk,
                version=said["version"],
                kind=said["kind"],
                reason=said["reason"],
                texts={section["key"]: section["text"] for section in said.get("sections", [])},
                conclusions={c["code"]: c["value"] for c in said.get("conclusions", [])},
                by=caller(request),
                request=request._request,
            )
        return self._answer(pk)

    @extend_schema(responses=report_shapes.WaitingReport(many=True), filters=False)
    @action(detail=False, methods=["get"], url_path="to-cosign", filterset_class=None)
    def to_cosign(self, request: Request) -> Response:
        """Preliminary reports that wait for an attending, the oldest first."""
        page = self.paginate_queryset(waiting_for_cosignature(caller(request)))
        assert page is not None
        auditing.list_read(request, "reports to co-sign", frozenset())
        return self.get_paginated_response([waiting_document(report) for report in page])

    def _report(self, pk: str) -> Report:
        report: Report = get_object_or_404(self.get_queryset(), pk=pk)
        return report

    def _sees_ai(self, pk: str) -> None:
        """Whoever answers to AI has seen it."""
        if is_hidden(caller(self.request), self._report(pk).study_id):
            raise Problem(
                409,
                "AI is hidden",
                "Your reading mode hides what AI says of this study: nothing to answer yet.",
            )

    def _document(self, pk: object) -> dict[str, Any]:
        return report_documents([self.get_queryset().get(pk=pk)], caller(self.request))[0]

    def _answer(self, pk: object) -> Response:
        return Response(self._document(pk))

    @contextmanager
    def _conflicts(self, pk: str) -> Iterator[None]:
        """What a writer is told who was too late, too early, or is not the reader."""
        try:
            yield
        except (LostRace, IllegalTransition) as error:
            raise Problem(409, "Changed meanwhile", str(error), current=self._document(pk)) from None
        except services.ChecksOpen as error:
            raise Problem(
                422,
                "Not ready to sign",
                "Settle the open checks, or give a reason where one is asked.",
                checks=check_documents(error.checks),
            ) from None
        except claims.NotYours as refusal:
            held = refusal.item if refusal.item.state == ItemState.CLAIMED else None
            raise Problem(
                409,
                "Taken" if held else "Not claimed",
                str(refusal),
                holder=documents.person(held.claimed_by) if held else None,
                claim_expires_at=held.claim_expires_at if held else None,
            ) from None
        except (UnknownConclusion, WrongValue) as error:
            raise Problem(400, "Some values are not right", str(error)) from None


def _confirm(request: Request, said: dict[str, Any]) -> None:
    """Where the site says so, a signature needs the signer's password again."""
    if not settings.SIGN_ASKS_PASSWORD:
        return
    password = said.get("password", "")
    if not confirm_password(user=caller(request), password=password, request=request._request):
        raise Problem(
            403,
            "Password needed" if not password else "Wrong password",
            "Enter the password you sign in with to sign. After several wrong ones your account is locked "
            "for a while.",
            asks_password=True,
        )
