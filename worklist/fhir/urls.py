"""Every address under /fhir/."""

from django.urls import path

from worklist.fhir import ai_views, views

urlpatterns = [
    path("metadata", views.Metadata.as_view(), name="fhir-metadata"),
    path("DiagnosticReport", ai_views.DiagnosticReports.as_view(), name="fhir-diagnostic-reports"),
    path("DiagnosticReport/ai-<int:run_id>", ai_views.AiReport.as_view(), name="fhir-ai-report"),
    path("DiagnosticReport/<int:report_id>", views.DiagnosticReport.as_view(), name="fhir-diagnostic-report"),
    path("Observation", ai_views.Observations.as_view(), name="fhir-observations"),
    path("Observation/<int:finding_id>", ai_views.Observation.as_view(), name="fhir-observation"),
    path("Task", ai_views.Tasks.as_view(), name="fhir-tasks"),
    path("Task/<int:run_id>", ai_views.Task.as_view(), name="fhir-task"),
]
