"""The Celery application. Tasks come through foundation.queueing, never through shared_task."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

app = Celery("firstread")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
