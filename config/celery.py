"""The Celery application. Tasks come through foundation.queueing, never through shared_task."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

app = Celery("firstread")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _infers() -> bool:
    return "inference" in app.amqp.queues.consume_from


@worker_init.connect
def import_torch(**kwargs: Any) -> None:
    """The inference worker imports torch before it forks: a child that was killed is back at once."""
    if _infers():
        import triage.execution  # noqa: F401


@worker_process_init.connect
def load_models(**kwargs: Any) -> None:
    """An inference worker has its models in memory before the first study asks for them.

    After the fork, because running torch before it can leave a child with a dead thread pool.
    """
    if _infers():
        from triage.execution import preload

        preload()
