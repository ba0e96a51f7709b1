from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "worklist.live"
    label = "live"
    verbose_name = "Live updates"

    def ready(self) -> None:
        from worklist.live import signals

        signals.connect()
