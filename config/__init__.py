"""Wiring. Celery's application is loaded with Django, so that every process queues to the right broker."""

from config.celery import app as celery_app

__all__ = ("celery_app",)
