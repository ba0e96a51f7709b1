from django.apps import AppConfig


class TriageConfig(AppConfig):
    name = "triage"
    label = "triage"
    verbose_name = "Triage"

    def ready(self) -> None:
        from triage import subscriptions

        subscriptions.connect()
