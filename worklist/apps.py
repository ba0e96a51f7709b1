from django.apps import AppConfig


class WorklistConfig(AppConfig):
    name = "worklist"
    label = "worklist"
    verbose_name = "Reading"

    def ready(self) -> None:
        from worklist import flows

        flows.connect()
