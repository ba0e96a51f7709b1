"""`/fhir/`: what AI says and does, for programs that speak FHIR R4; runs of live models only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import has_role
from foundation.audit import services as audit
from pacs.models import Study
from pacs.selectors import studies_visible_to
from triage.models import Finding, ModelState, Outcome, RunState, TriageRun
from worklist.fhir import ai_resources
from worklist.fhir.views import RESULT_PARAMETERS, FhirView
from worklist.fhir.views import DiagnosticReports as SignedReports
from worklist.reading.selectors import hidden_studies

#: As for runs in the API; the ER hears of AI by its alerts.
READERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.SERVICE)


class AiView(FhirView):
    """What is shown of AI is audited like a report."""

    permission_classes = [READERS]
    what = ""

    def found(
        self, request: Request, rows: Iterable[tuple[Study, dict[str, Any]]], ask: frozenset[str]
    ) -> Response:
        """A searchset of these resources, each with its study."""
        pairs = list(rows)
        if not pairs:
            audit.record_read(
                request._request,
                what=f"{self.what} search",
                kind=audit.Kind.QUERY,
                detail={"filters": sorted(ask)},
            )
        for study in {study.pk: study for study, _ in pairs}.values():
            self.audit(request, study)
        resources = [resource for _, resource in pairs]
        return Response(ai_resources.searchset(resources, self.base(), request.build_absolute_uri()))

    def audit(self, request: Request, study: Study) -> None:
        """One study's AI was read."""
        audit.record_read(
            request._request,
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient.patient_id,
            what=self.what,
            kind=audit.Kind.PATIENT_RECORD,
        )


class Observations(AiView):
    """Findings of a study."""

    what = "AI Observation"

    def get(self, request: Request) -> Response:
        """Of the results that hold now, the most probable first."""
        uid = study_asked(request)
        findings = findings_shown(request).filter(run__study__study_instance_uid=uid)
        rows = [(one.run.study, ai_resources.observation(one)) for one in findings]
        return self.found(request, rows, frozenset({"study"}))


class Observation(AiView):
    """One finding."""

    what = "AI Observation"

    def get(self, request: Request, finding_id: int) -> Response:
        """As long as its result holds; then it is not found any more."""
        finding = findings_shown(request).filter(pk=finding_id).first()
        if finding is None:
            raise Http404
        self.audit(request, finding.run.study)
        return Response(ai_resources.observation(finding))


class AiReport(AiView):
    """The result of one run as a partial DiagnosticReport."""

    what = "AI DiagnosticReport"

    def get(self, request: Request, run_id: int) -> Response:
        """As long as the result holds."""
        run = reports_shown(request).filter(pk=run_id).first()
        if run is None:
            raise Http404
        self.audit(request, run.study)
        return Response(ai_resources.report(run))


class PartialReports(AiView):
    """Results of a study."""

    what = "AI DiagnosticReport"

    def get(self, request: Request) -> Response:
        """`study=…&status=partial`, the latest first."""
        uid = study_asked(request, frozenset({"status"}))
        runs = reports_shown(request).filter(study__study_instance_uid=uid)
        rows = [(one.study, ai_resources.report(one)) for one in runs]
        return self.found(request, rows, frozenset({"status", "study"}))


class DiagnosticReports(FhirView):
    """Signed reports, unless `status=partial` asks for AI's: who asks for reports never gets those beside."""

    permission_classes: list[Any] = []  # of the view that answers

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """To the view that answers, with its own permissions."""
        partial = request.GET.getlist("status") == ["partial"]
        answering: type[FhirView] = PartialReports if partial else SignedReports
        return answering.as_view()(request, *args, **kwargs)


class Tasks(AiView):
    """What models were asked about a study."""

    what = "AI Task"

    def get(self, request: Request) -> Response:
        """The latest first, superseded ones among them."""
        uid = study_asked(request)
        runs = runs_shown(request).filter(study__study_instance_uid=uid)
        return self.found(
            request, [(one.study, ai_resources.task(one)) for one in runs], frozenset({"study"})
        )


class Task(AiView):
    """One run."""

    what = "AI Task"

    def get(self, request: Request, run_id: int) -> Response:
        """In whatever state."""
        run = runs_shown(request).filter(pk=run_id).first()
        if run is None:
            raise Http404
        self.audit(request, run.study)
        return Response(ai_resources.task(run))


def study_asked(request: Request, besides: frozenset[str] = frozenset()) -> str:
    """Study Instance UID of a search, with or without urn:oid:; a search for everything is refused."""
    asked = {name for name in request.query_params if name not in RESULT_PARAMETERS | besides}
    if asked != {"study"}:
        unknown = sorted(asked - {"study"})
        raise ValidationError(f"Search by study{'; not by ' + ', '.join(unknown) if unknown else ''}.")
    return request.query_params["study"].rsplit("|", 1)[-1].removeprefix("urn:oid:")


def runs_shown(request: Request) -> QuerySet[TriageRun]:
    """Runs of live models on studies that the caller may see, the latest first."""
    assert isinstance(request.user, User)
    runs = (
        TriageRun.objects.filter(study__in=studies_visible_to(request.user), model_state=ModelState.LIVE)
        .select_related("study__patient", "model", "series")
        .prefetch_related("findings")
        .order_by("-pk")
    )
    hidden = hidden_studies(request.user)
    return runs if hidden is None else runs.exclude(study__in=hidden.values("pk"))


def reports_shown(request: Request) -> QuerySet[TriageRun]:
    """Results that hold now; a look at a part of the images says something only where it found something."""
    return runs_shown(request).filter(state=RunState.DONE).exclude(provisional=True, outcome=Outcome.NEGATIVE)


def findings_shown(request: Request) -> QuerySet[Finding]:
    """Findings of those results."""
    assert isinstance(request.user, User)
    hidden = hidden_studies(request.user)
    findings = (
        Finding.objects.filter(
            run__study__in=studies_visible_to(request.user),
            run__model_state=ModelState.LIVE,
            run__state=RunState.DONE,
        )
        .exclude(run__provisional=True, presence=Finding.Presence.ABSENT)
        .select_related("run__study__patient", "run__model", "run__series")
        .order_by("-probability", "pk")
    )
    return findings if hidden is None else findings.exclude(run__study__in=hidden.values("pk"))
