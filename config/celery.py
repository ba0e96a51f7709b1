"""The Celery application. Tasks come through foundation.queueing, never through shared_task."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

app = Celery("firstread")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def load_models(**kwargs: Any) -> None:
    """An inference worker has its models in memory before the first study asks for them."""
    if "inference" in app.amqp.queues.consume_from:
        from triage.execution import preload

        preload()
