"""Every address under /api/ of the worklist."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from worklist.api import er, me
from worklist.api.alert_policies import AlertPolicyViewSet
from worklist.api.alerts import AlertViewSet
from worklist.api.channels import Channels, PushKeyView, PushSubscriptions
from worklist.api.communications import CommunicationViewSet
from worklist.api.desk import DeskView
from worklist.api.evaluations import ModelEvaluation, ModelEvaluationReport
from worklist.api.fatigue import AlertFatigue, QuietViewSet
from worklist.api.handovers import HandoverViewSet
from worklist.api.lists import SavedListViewSet
from worklist.api.marks import KeyImageViewSet, MeasurementViewSet
from worklist.api.models import ModelViewSet
from worklist.api.priority_policies import PriorityPolicyViewSet
from worklist.api.pushed_back import PassedBy, PushedBackStudies, PushedBackView
from worklist.api.quality import QualitySummary, ReviewViewSet, SignedOver
from worklist.api.readers import Readers
from worklist.api.reading import LookViewSet, ReadingModeViewSet, StudyFirstLook, StudyReading
from worklist.api.report_deliveries import DeliveryViewSet, DestinationViewSet, ReportPdf
from worklist.api.report_templates import ReportTemplateViewSet
from worklist.api.reports import ReportViewSet
from worklist.api.rota import GroupViewSet, RotaGaps, RotaNow, RotaPeople, ShiftViewSet
from worklist.api.rota_calendar import CalendarExport, CalendarImport
from worklist.api.simulations import SimulationViewSet
from worklist.api.triage_plans import TriagePlanViewSet
from worklist.api.triage_runs import TriageRunViewSet
from worklist.api.worklist import WorklistViewSet

router = SimpleRouter()
router.register("worklist", WorklistViewSet, basename="worklist")
router.register("triage-runs", TriageRunViewSet, basename="triage-runs")
router.register("triage-plans", TriagePlanViewSet, basename="triage-plans")
router.register("models", ModelViewSet, basename="models")
router.register("alerts", AlertViewSet, basename="alerts")
router.register("alert-policies", AlertPolicyViewSet, basename="alert-policies")
router.register("quiets", QuietViewSet, basename="quiets")
router.register("communications", CommunicationViewSet, basename="communications")
router.register("reports", ReportViewSet, basename="reports")
router.register("report-templates", ReportTemplateViewSet, basename="report-templates")
router.register("report-destinations", DestinationViewSet, basename="report-destinations")
router.register("report-deliveries", DeliveryViewSet, basename="report-deliveries")
router.register("groups", GroupViewSet, basename="groups")
router.register("shifts", ShiftViewSet, basename="shifts")
router.register("handovers", HandoverViewSet, basename="handovers")
router.register("simulations", SimulationViewSet, basename="simulations")
router.register(
    "worklist/(?P<study_instance_uid>[0-9.]{1,64})/measurements", MeasurementViewSet, basename="measurements"
)
router.register(
    "worklist/(?P<study_instance_uid>[0-9.]{1,64})/key-images", KeyImageViewSet, basename="key-images"
)
router.register("looks", LookViewSet, basename="looks")
router.register("reading-modes", ReadingModeViewSet, basename="reading-modes")
router.register("priority-policies", PriorityPolicyViewSet, basename="priority-policies")
router.register("lists", SavedListViewSet, basename="lists")
router.register("quality/reviews", ReviewViewSet, basename="reviews")

urlpatterns = [
    path("me/", me.Me.as_view(), name="me"),
    path("alert-fatigue/", AlertFatigue.as_view(), name="alert-fatigue"),
    path("channels/", Channels.as_view(), name="channels"),
    path("push-key/", PushKeyView.as_view(), name="push-key"),
    path("push-subscriptions/", PushSubscriptions.as_view(), name="push-subscriptions"),
    path("desk/", DeskView.as_view(), name="desk"),
    path("readers/", Readers.as_view(), name="readers"),
    path("er/patients/", er.ErPatients.as_view(), name="er-patients"),
    path("models/<int:pk>/evaluation/", ModelEvaluation.as_view(), name="model-evaluation"),
    path(
        "models/<int:pk>/evaluation/report/", ModelEvaluationReport.as_view(), name="model-evaluation-report"
    ),
    path("reports/<int:pk>/pdf/", ReportPdf.as_view(), name="report-pdf"),
    path("quality/signed-over/", SignedOver.as_view(), name="signed-over"),
    path("pushed-back/", PushedBackView.as_view(), name="pushed-back"),
    path("pushed-back/studies/", PushedBackStudies.as_view(), name="pushed-back-studies"),
    path("worklist/<str:study_instance_uid>/passed-by/", PassedBy.as_view(), name="passed-by"),
    path("quality/summary/", QualitySummary.as_view(), name="quality-summary"),
    path("rota/now/", RotaNow.as_view(), name="rota-now"),
    path("rota/gaps/", RotaGaps.as_view(), name="rota-gaps"),
    path("rota/import/", CalendarImport.as_view(), name="rota-import"),
    path("rota/export.ics", CalendarExport.as_view(), name="rota-export"),
    path("rota/people/", RotaPeople.as_view(), name="rota-people"),
    path("worklist/<str:study_instance_uid>/reading/", StudyReading.as_view(), name="study-reading"),
    path("worklist/<str:study_instance_uid>/first-look/", StudyFirstLook.as_view(), name="study-first-look"),
    path("", include(router.urls)),
]
