"""Errors of the API as RFC 9457 problem documents: what happened, to what, what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from foundation.transitions import IllegalTransition, LostRace

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """An error that a caller can act on. `extra` becomes further members of the document."""

    def __init__(self, status_code: int, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(title)
        self.status_code = status_code
        self.title = title
        self.detail = detail
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status_code,
            "detail": self.detail,
        } | (self.extra)


def problem_response(problem: Problem) -> JsonResponse:
    """A problem document from a plain Django view."""
    return JsonResponse(problem.document(), status=problem.status_code, content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: everything that is not a programming error becomes a document."""
    problem = _as_problem(error)
    if problem is None:
        return None
    set_rollback()
    response = Response(problem.document(), status=problem.status_code, content_type=CONTENT_TYPE)
    if isinstance(error, exceptions.APIException):
        wait = getattr(error, "wait", None)
        if wait:
            response["Retry-After"] = str(int(wait))
        if getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    return response


def _as_problem(error: Exception) -> Problem | None:
    match error:
        case Problem():
            return error
        case LostRace() | IllegalTransition():
            return Problem(status.HTTP_409_CONFLICT, "Changed meanwhile", str(error))
        case exceptions.ValidationError():
            return Problem(
                400, "Some values are not right", "Correct the fields named in `errors`.", errors=error.detail
            )
        case ValidationError():
            return Problem(400, "Some values are not right", " ".join(error.messages))
        case Http404():
            return Problem(404, "Not found", "It does not exist or you may not see it.")
        case PermissionDenied():
            return Problem(403, "Not allowed", str(error) or "Your role does not allow this.")
        case exceptions.APIException():
            phrase = HTTPStatus(error.status_code).phrase
            return Problem(error.status_code, phrase, str(error.detail))
    return None
