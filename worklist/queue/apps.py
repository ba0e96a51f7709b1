from django.apps import AppConfig


class QueueConfig(AppConfig):
    name = "worklist.queue"
    label = "queue"
    verbose_name = "Worklist"

    def ready(self) -> None:
        from worklist.queue import signals

        signals.connect(self)
