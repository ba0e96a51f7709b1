"""Addresses of the viewer, included at /viewer/."""

from __future__ import annotations

from django.urls import path

from worklist.viewer import plain
from worklist.viewer.views import viewer

app_name = "viewer"
urlpatterns = [
    path("", viewer, name="start"),
    path("plain/<str:study_instance_uid>", plain.page, name="plain"),
    path(
        "plain/<str:study_instance_uid>/documents/<str:sop_instance_uid>",
        plain.document,
        name="plain-document",
    ),
    path("<path:name>", viewer, name="address"),
]
