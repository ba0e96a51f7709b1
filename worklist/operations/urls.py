"""Pages and health."""

from django.urls import path, re_path

from worklist.operations import pages

urlpatterns = [
    path("healthz", pages.healthz, name="healthz"),
    path("", pages.shell, name="home"),
    re_path(
        r"^(?P<page>er|quality|archive|deliveries|models|rota|guide|read)(?:/.*)?$", pages.shell, name="page"
    ),
]
