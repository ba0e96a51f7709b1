"""Addresses of the viewer, included at /viewer/."""

from __future__ import annotations

from django.urls import path

from worklist.viewer.views import viewer

app_name = "viewer"
urlpatterns = [
    path("", viewer, name="start"),
    path("<path:name>", viewer, name="address"),
]
