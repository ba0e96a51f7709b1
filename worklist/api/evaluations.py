"""`/api/models/{id}/evaluation/`: how good a model is on a labelled set, as `manage.py evaluate` found it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.models import Role
from foundation.accounts.permissions import has_role
from foundation.audit import services as audit
from foundation.problems import Problem
from triage.evaluation import shelf
from triage.models import ModelVersion
from worklist.api import shapes

# The page brings its own style and pictures, runs nothing and reaches nothing.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'; sandbox"
)


class ModelEvaluation(APIView):
    """The figures of the newest evaluation of exactly the registered files."""

    permission_classes = [has_role(Role.PACS_ADMINISTRATOR, Role.QA_REVIEWER)]

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 404: shapes.Problem})
    def get(self, request: Request, pk: int) -> Response:
        """Without the cases: their names stay with the report's folder."""
        document: dict[str, Any] = json.loads((_newest(pk) / shelf.DOCUMENT).read_text(encoding="utf-8"))
        document.pop("cases", None)
        return Response(document)


class ModelEvaluationReport(APIView):
    """The same as a page, with pictures of what went wrong."""

    permission_classes = [has_role(Role.PACS_ADMINISTRATOR, Role.QA_REVIEWER)]

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR, 404: shapes.Problem})
    def get(self, request: Request, pk: int) -> HttpResponse:
        """One HTML file."""
        page = (_newest(pk) / shelf.PAGE).read_bytes()
        # Its pictures may be of patients.
        audit.record_read(
            request._request,
            what="evaluation report of a model",
            kind=audit.Kind.QUERY,
            detail={"model": pk},
        )
        response = HttpResponse(page, content_type="text/html; charset=utf-8")
        response["Content-Security-Policy"] = _POLICY
        response["Cache-Control"] = "private, no-store"
        return response


def _newest(pk: int) -> Path:
    model = get_object_or_404(ModelVersion, pk=pk)
    found = shelf.newest_report(
        shelf.slug(model.name, model.version), model.weights_sha256, model.configs_sha256
    )
    if found is None:
        raise Problem(
            404,
            "Not evaluated",
            f"Nobody measured {model} here yet: manage.py evaluate {model.name} DIR "
            f"--model-version {model.version}",
        )
    return found
