"""The door of every DICOMweb address: who calls, may they, and the trail of what they read.

These are plain Django views, not REST framework ones: a viewer asks for a study in hundreds of small
requests, and each millisecond counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final

from django.core.exceptions import RequestDataTooBig
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import CSRFCheck

from foundation.accounts.models import Role, User
from foundation.accounts.services import user_of_token
from foundation.audit import services as audit
from foundation.problems import Problem, problem_response
from pacs.models import Instance, Series, Study
from pacs.selectors import is_withheld, studies_visible_to, withheld_from

READERS: Final = (Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)
# ER staff see previews of their own patients, never the diagnostic images.
PREVIEWERS: Final = (*READERS, Role.ER_STAFF)
SENDERS: Final = (Role.RADIOLOGIST, Role.PACS_ADMINISTRATOR, Role.SERVICE)

View = Callable[..., HttpResponseBase]


def endpoint(*roles: str) -> Callable[[View], View]:
    """A DICOMweb view `(request, user, …)` for callers who hold one of `roles`.

    Every refusal and every Problem becomes a problem document (RFC 9457).
    """

    def decorate(view: View) -> View:
        @csrf_exempt  # checked in _caller: a token needs none, a session does
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            try:
                user = _caller(request)
                if not user.has_role(*roles):
                    raise Problem(403, "Not allowed", f"This needs one of the roles: {', '.join(roles)}.")
                return view(request, user, *args, **kwargs)
            except RequestDataTooBig:
                return problem_response(Problem(413, "Too large", "Send fewer objects in one request."))
            except Problem as problem:
                return _answer(problem)

        return guarded

    return decorate


def by_method(**views: View) -> View:
    """One address, one view for each method; HEAD goes with GET."""
    allowed = ", ".join(sorted(views | ({"HEAD": None} if "GET" in views else {})))

    @csrf_exempt
    def choose(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        view = views.get("GET" if request.method == "HEAD" else str(request.method))
        if view is not None:
            return view(request, *args, **kwargs)
        response = problem_response(Problem(405, "Method not allowed", f"This address knows {allowed}."))
        response["Allow"] = allowed
        return response

    return choose


def study_of(user: User, study_uid: str) -> Study:
    """A study that `user` may see, with its patient; a Problem 404 otherwise."""
    found = studies_visible_to(user).select_related("patient").filter(study_instance_uid=study_uid).first()
    if found is None:
        raise missing("study")
    return found


def series_of(user: User, study_uid: str, series_uid: str) -> Series:
    """A series of a visible study; a Problem 404 otherwise."""
    study = study_of(user, study_uid)
    found = Series.objects.filter(study=study, series_instance_uid=series_uid).first()
    if found is None or is_withheld(user, found):
        raise missing("series")
    found.study = study
    return found


def instance_of(user: User, study_uid: str, series_uid: str, instance_uid: str) -> Instance:
    """An instance of a visible study, without its metadata; a Problem 404 otherwise."""
    study = study_of(user, study_uid)
    found = (
        Instance.objects.defer("metadata")
        .select_related("series")
        .filter(
            sop_instance_uid=instance_uid,
            series__series_instance_uid=series_uid,
            series__study_id=study.pk,
        )
        .first()
    )
    if found is None or is_withheld(user, found.series):
        raise missing("instance")
    found.series.study = study
    return found


def instances_of(user: User, study: Study) -> QuerySet[Instance]:
    """The instances of a visible study that `user` may know of."""
    rows = Instance.objects.filter(series__study=study)
    condition = withheld_from(user)
    if condition is None:
        return rows
    withheld = Series.objects.filter(condition, study=study)
    return rows.exclude(series__in=list(withheld.values_list("pk", flat=True)))


def missing(what: str) -> Problem:
    """The same answer for what does not exist and for what the caller may not know of."""
    return Problem(404, "Not found", f"This {what} does not exist or you may not see it.")


def record_study_read(request: HttpRequest, study: Study, what: str) -> None:
    """Note that the caller read something of a study; `what` is coarse, so that a minute is one event."""
    audit.record_read(
        request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        what=what,
    )


def _caller(request: HttpRequest) -> User:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "token":
        known = user_of_token(token.strip())
        if known is None:
            raise Problem(401, "Not signed in", "This API token is unknown or revoked.")
        request.user = known
        return known
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        raise Problem(401, "Not signed in", "Sign in, or send `Authorization: Token …`.")
    check = CSRFCheck(lambda _: HttpResponse())
    check.process_request(request)
    reason = check.process_view(request, None, (), {})  # type: ignore[arg-type]
    if reason:
        raise Problem(403, "Not allowed", f"The CSRF check failed: {reason}")
    return user


def _answer(problem: Problem) -> HttpResponse:
    response = problem_response(problem)
    response["Cache-Control"] = "no-store"
    if problem.status_code == 401:
        response["WWW-Authenticate"] = "Token"
    return response
