from django.apps import AppConfig


class FhircastConfig(AppConfig):
    name = "worklist.fhircast"
    label = "fhircast"
    verbose_name = "Applications on the desk"

    def ready(self) -> None:
        from worklist.fhircast import signals

        signals.connect()
