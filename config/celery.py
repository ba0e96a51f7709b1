"""The Celery application. Tasks come through foundation.queueing, never through shared_task."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init
from celery.worker.control import inspect_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

app = Celery("firstread")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_isolation: dict[str, Any] = {}


def _infers() -> bool:
    return bool({"inference", "inference-gpu"} & set(app.amqp.queues.consume_from))


@worker_init.connect
def import_triage(**kwargs: Any) -> None:
    """The inference worker imports what it needs before it forks: a child that was killed is back at once."""
    global _isolation
    if _infers():
        import triage.execution  # noqa: F401
        from triage.inference.host.probe import probe

        found = probe()
        _isolation = {"whole": found.whole, "told": found.told()}


@worker_process_init.connect
def load_models(**kwargs: Any) -> None:
    """An inference worker starts its models' processes before the first study asks for them."""
    if _infers():
        from triage.execution import preload

        preload()


@inspect_command(name="isolation")
def isolation(state: Any) -> dict[str, Any]:
    """Which walls stand around the models of this worker, as tried at its start; {} where none runs."""
    return _isolation
