from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "worklist.alerts"
    label = "alerts"
    verbose_name = "Alerts"

    def ready(self) -> None:
        from pacs.selectors import also_visible
        from worklist.alerts.selectors import studies_told_of

        also_visible(studies_told_of)
