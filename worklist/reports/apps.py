from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "worklist.reports"
    label = "reports"
    verbose_name = "Reports"
