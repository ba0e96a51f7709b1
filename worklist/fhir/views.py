"""`/fhir/`: signed reports for programs that speak FHIR R4; those of AI are in ai_views.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation import problems
from foundation.accounts.models import Role, User
from foundation.accounts.permissions import has_role
from foundation.audit import services as audit
from worklist.fhir import resources
from worklist.reports.models import Report, ReportVersion
from worklist.reports.outgoing import encapsulated
from worklist.reports.selectors import latest_versions, reports_visible_to

READERS = has_role(Role.RADIOLOGIST, Role.ER_STAFF, Role.QA_REVIEWER, Role.SERVICE)
SEARCH_PARAMETERS = frozenset({"study", "identifier"})
RESULT_PARAMETERS = frozenset({"_format"})
_ISSUE_TYPES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported"}


class FhirRenderer(JSONRenderer):
    media_type = "application/fhir+json"
    format = "fhir"


class PlainRenderer(FhirRenderer):
    """The same for clients that ask for JSON."""

    media_type = "application/json"
    format = "json"


@extend_schema(exclude=True)
class FhirView(APIView):
    """Errors are OperationOutcomes."""

    permission_classes = [READERS]
    renderer_classes: list[type[BaseRenderer]] = [FhirRenderer, PlainRenderer]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return _outcome

    def base(self) -> str:
        """Absolute address of this endpoint."""
        return self.request.build_absolute_uri("/fhir/")


class Metadata(FhirView):
    """What this endpoint can do; open to everybody, as clients ask before they sign in."""

    permission_classes: list[Any] = []

    def get(self, request: Request) -> Response:
        """The CapabilityStatement."""
        today = timezone.now().date().isoformat()
        return Response(resources.capability_statement(self.base(), settings.VERSION, today))


class DiagnosticReports(FhirView):
    """Search by study or identifier."""

    def get(self, request: Request) -> Response:
        """A searchset; a search for everything, or by what is not supported, is refused."""
        asked = {name for name in request.query_params if name not in RESULT_PARAMETERS}
        unknown = asked - SEARCH_PARAMETERS
        if unknown or not asked:
            raise ValidationError(
                f"Search by study or identifier{'; not by ' + ', '.join(sorted(unknown)) if unknown else ''}."
            )
        found = _signed(request)
        if "study" in asked:
            uid = request.query_params["study"].rsplit("|", 1)[-1].removeprefix("urn:oid:")
            found = found.filter(report__study__study_instance_uid=uid)
        if "identifier" in asked:
            found = found.filter(_identified(request.query_params["identifier"]))
        versions = list(found)
        if not versions:
            audit.record_read(
                request._request,
                what="DiagnosticReport search",
                kind=audit.Kind.QUERY,
                detail={"filters": sorted(asked)},
            )
        for version in versions:
            _audit(request, version.report)
        return Response(resources.searchset(versions, self.base(), request.build_absolute_uri()))


class DiagnosticReport(FhirView):
    """One signed report."""

    def get(self, request: Request, report_id: int) -> Response:
        """The version that holds; ETag names it."""
        version = _signed(request).filter(report_id=report_id).first()
        if version is None:
            raise Http404
        _audit(request, version.report)
        return Response(
            resources.diagnostic_report(version, pdf=encapsulated.pdf_of(version)),
            headers={
                "ETag": f'W/"{version.version}"',
                "Last-Modified": version.at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            },
        )


def _signed(request: Request) -> QuerySet[ReportVersion]:
    """What the caller may see; a draft has no version and so is never among it."""
    assert isinstance(request.user, User)
    return latest_versions(reports_visible_to(request.user))


def _identified(token: str) -> Q:
    """`[system|]value`: an accession number, or with the DICOM system the UID of the SR."""
    system, _, value = token.rpartition("|")
    uid = Q(sr_sop_instance_uid=value.removeprefix("urn:oid:"))
    if system == resources.DICOM_UID:
        return uid
    accession = Q(report__study__accession_number=value) | Q(report__study__order__accession_number=value)
    return accession if system else accession | uid


def _audit(request: Request, report: Report) -> None:
    audit.record_read(
        request._request,
        study_instance_uid=report.study.study_instance_uid,
        patient_id=report.study.patient.patient_id,
        what="DiagnosticReport",
        kind=audit.Kind.PATIENT_RECORD,
    )


def _outcome(error: Exception, context: dict[str, Any]) -> Response | None:
    response = problems.exception_handler(error, context)
    if response is None:
        return None
    told = response.data
    detail = told.get("detail") or told.get("title", "")
    if "errors" in told:
        detail = " ".join(str(one) for one in told["errors"])
    response.data = resources.operation_outcome(_ISSUE_TYPES.get(response.status_code, "processing"), detail)
    response.content_type = FhirRenderer.media_type
    return response
