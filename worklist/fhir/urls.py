"""Every address under /fhir/."""

from django.urls import path

from worklist.fhir import views

urlpatterns = [
    path("metadata", views.Metadata.as_view(), name="fhir-metadata"),
    path("DiagnosticReport", views.DiagnosticReports.as_view(), name="fhir-diagnostic-reports"),
    path("DiagnosticReport/<int:report_id>", views.DiagnosticReport.as_view(), name="fhir-diagnostic-report"),
]
