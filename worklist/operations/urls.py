"""Pages and health."""

from django.urls import path, re_path

from worklist.alerts import pages as alerts
from worklist.operations import pages

urlpatterns = [
    path("a/<str:token>", alerts.answer, name="answer"),
    path("healthz", pages.healthz, name="healthz"),
    path("", pages.shell, name="home"),
    re_path(
        r"^(?P<page>co-sign|report-templates|er|quality|archive|deliveries|models|rota|simulation|guide|reading-modes|reading"
        r"|read|alert-fatigue|policies|pushed-back)(?:/.*)?$",
        pages.shell,
        name="page",
    ),
]
