from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def add_shipped_templates(**_: Any) -> None:
    """After each migration the database has what this version ships."""
    from worklist.reports.templates import services

    services.ensure_shipped()


class ReportsConfig(AppConfig):
    name = "worklist.reports"
    label = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        post_migrate.connect(add_shipped_templates, sender=self)
