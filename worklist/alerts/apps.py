from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "worklist.alerts"
    label = "alerts"
    verbose_name = "Alerts"
