"""`/api/models/`: the registry, for those who answer for models and those who judge them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from pacs.models import Study
from pacs.selectors import studies_visible_to
from triage import disagreement, intake, registry
from triage.bundles import BundleRefused
from triage.models import ModelVersion
from worklist.api import auditing, model_shapes, shapes
from worklist.api.bodies import valid
from worklist.api.model_documents import (
    case_document,
    compared_model,
    model_detail,
    model_document,
    run_counts,
)
from worklist.reports.selectors import signed_reports

T = TypeVar("T")
DECIDES = has_role(Role.PACS_ADMINISTRATOR)
SEES = has_role(Role.PACS_ADMINISTRATOR, Role.QA_REVIEWER)
DECIDED = {
    200: model_shapes.ModelDetail,
    403: shapes.Problem,
    409: shapes.Problem,
    422: shapes.Problem,
}


class ModelViewSet(GenericViewSet[ModelVersion]):
    """Models in every state. Readers see none of this: shadow results are not for them."""

    serializer_class = model_shapes.Model
    parser_classes = [JSONParser, MultiPartParser]
    lookup_value_regex = "[0-9]+"
    queryset = ModelVersion.objects.none()
    filter_backends: list[Any] = []

    def get_queryset(self) -> Any:
        models = ModelVersion.objects.select_related("registered_by").prefetch_related("rules")
        return models.order_by("name", "-registered_at", "-pk")

    def get_permissions(self) -> list[BasePermission]:
        return [SEES() if self.action in ("list", "retrieve", "compare") else DECIDES()]

    def list(self, request: Request) -> Response:
        """All models, by name, the newest version first."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        counts = run_counts(page)
        return self.get_paginated_response([model_document(model, counts[model.pk]) for model in page])

    @extend_schema(responses=model_shapes.ModelDetail)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One model with its hashes, limits, rules and decisions."""
        return self._shown(pk)

    @extend_schema(
        request={"multipart/form-data": model_shapes.ModelUpload},
        responses={201: model_shapes.ModelDetail, 403: shapes.Problem, 422: shapes.Problem},
    )
    def create(self, request: Request) -> Response:
        """Add a bundle as a draft: hash compared, unpacked, every file looked into, nothing run."""
        form = valid(model_shapes.ModelUpload, request)
        upload = form["file"]
        model = _decided(
            lambda: intake.add_upload(
                upload=upload,
                filename=upload.name or "",
                sha256=form["sha256"],
                name=form["name"],
                by=caller(request),
                reason=form["reason"],
                request=request._request,
            )
        )
        return self._shown(str(model.pk), status=201)

    @extend_schema(request=model_shapes.ModelReason, responses=DECIDED)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Say that a shadow model may go live; another administrator has to move it."""
        said = valid(model_shapes.ModelReason, request)
        model = get_object_or_404(self.get_queryset(), pk=pk)
        _decided(
            lambda: registry.approve(
                model=model,
                by=caller(request),
                reason=said["reason"],
                request=request._request,
            )
        )
        return self._shown(pk)

    @extend_schema(request=model_shapes.ModelMove, responses=DECIDED)
    @action(detail=True, methods=["post"], url_path="set-state")
    def set_state(self, request: Request, pk: str) -> Response:
        """Move a model to shadow, live or retired. Live needs somebody else's approval."""
        said = valid(model_shapes.ModelMove, request)
        model = get_object_or_404(self.get_queryset(), pk=pk)
        _decided(
            lambda: registry.set_state(
                model=model,
                state=said["state"],
                by=caller(request),
                reason=said["reason"],
                request=request._request,
            )
        )
        return self._shown(pk)

    @extend_schema(
        parameters=[
            OpenApiParameter("a", int, required=True, description="Id of a model."),
            OpenApiParameter("b", int, required=True, description="Id of another one."),
            OpenApiParameter("code", str, description="Only cases of this finding."),
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int),
        ],
        responses={200: model_shapes.ModelComparison, 404: shapes.Problem, 422: shapes.Problem},
    )
    @action(detail=False, methods=["get"])
    def compare(self, request: Request) -> Response:
        """Studies that both analysed: how often they agree, and the cases on which they do not.

        Of a signed report its structured conclusion is shown, not its text: administrators read no reports.
        """
        a, b = (self._named(request.query_params.get(side, "")) for side in ("a", "b"))
        meanings = disagreement.shared_findings(a, b)
        if a == b or not meanings:
            raise Problem(
                422,
                "Nothing to compare",
                "Choose two different models that look for the same finding (the same code).",
            )
        found, only_a, only_b = disagreement.pairs(a, b, meanings, studies_visible_to(caller(request)))
        code = request.query_params.get("code", "")
        page = self.paginate_queryset([pair for pair in found if pair.differ and code in ("", pair.code)])
        assert page is not None
        auditing.list_read(request, "cases on which models disagree", frozenset({"a", "b", "code"}))
        studies = Study.objects.select_related("patient").in_bulk([pair.study_id for pair in page])
        reports = signed_reports(studies)
        paged = self.get_paginated_response(
            [case_document(pair, studies[pair.study_id], reports.get(pair.study_id)) for pair in page]
        )
        return Response(
            {
                "a": compared_model(a),
                "b": compared_model(b),
                "findings": [vars(counts) for counts in disagreement.counted(found, meanings)],
                "only_a_analysed": only_a,
                "only_b_analysed": only_b,
                **paged.data,
            }
        )

    def _named(self, value: str) -> ModelVersion:
        if not value.isdigit() or len(value) > 18:
            raise Http404
        return get_object_or_404(ModelVersion, pk=int(value))

    def _shown(self, pk: str, status: int = 200) -> Response:
        model = get_object_or_404(self.get_queryset(), pk=pk)
        counts = run_counts([model])[model.pk]
        return Response(model_detail(model, counts, caller(self.request)), status=status)


def _decided(act: Callable[[], T]) -> T:
    try:
        return act()
    except registry.NotPermitted as error:
        raise Problem(403, "Not allowed", str(error)) from error
    except registry.NotApproved as error:
        raise Problem(409, "Not approved", str(error)) from error
    except BundleRefused as error:
        raise Problem(422, "The bundle is refused", str(error)) from error
    except registry.DecisionRefused as error:
        raise Problem(422, "Not possible", str(error)) from error
