"""Every address of Firstread."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("viewer/", include("worklist.viewer.urls")),
    path("dicom-web/", include("pacs.dicomweb.urls")),
    path("api/", include("pacs.api.urls")),
    path("api/", include("worklist.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(permission_classes=[]), name="schema"),
    path("fhir/", include("worklist.fhir.urls")),
    path("fhircast/", include("worklist.fhircast.urls")),
    path("", include("worklist.operations.urls")),
]
