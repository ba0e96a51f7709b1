"""Every address under /fhircast/."""

from django.urls import path

from worklist.fhircast import views

urlpatterns = [
    path("", views.Hub.as_view(), name="fhircast-hub"),
    path(".well-known/fhircast-configuration", views.Configuration.as_view(), name="fhircast-configuration"),
    path("<uuid:topic>", views.CurrentContext.as_view(), name="fhircast-context"),
]
