"""The only door to Celery.

Tasks are declared with `@task(queue=…)` and queued with `enqueue`. A broker that is down never fails
the caller: the work stands in the database, and a sweep queues it later.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import structlog
from celery import current_app, shared_task  # noqa: TID251  (the one door)
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# A pooled connection to a broker that was killed tells so in the client library's own words.
UNREACHABLE = (OperationalError, OSError, RedisError)


class Queue(StrEnum):
    """Workers subscribe to queues by what the work costs."""

    DEFAULT = "default"
    INFERENCE = "inference"
    INFERENCE_GPU = "inference-gpu"


def task(
    *, name: str, queue: Queue = Queue.DEFAULT, time_limit: int = 300
) -> Callable[[Callable[..., None]], Any]:
    """Declare a task that takes ids only and survives being run twice.

    Args:
        name: stable name on the wire, `<room>.<verb>`.
        queue: which workers take it.
        time_limit: seconds after which the worker's child is killed; below the visibility timeout.
    """

    def decorate(function: Callable[..., None]) -> Any:
        return shared_task(name=name, queue=queue.value, time_limit=time_limit, ignore_result=True)(function)

    return decorate


def enqueue(celery_task: Any, *ids: int, queue: Queue | None = None) -> None:
    """Send `celery_task(*ids)` to `queue`, or the task's own, once the surrounding transaction commits."""
    options = {} if queue is None else {"queue": queue.value}

    def send() -> None:
        try:
            celery_task.apply_async(args=ids, **options)
        except UNREACHABLE as error:
            # The row says what is to be done; the sweeper sends it when the broker is back.
            log.warning("broker_unreachable", task=celery_task.name, error=type(error).__name__)

    transaction.on_commit(send)


def broker_answers() -> bool:
    """True when the broker accepts a connection within two seconds."""
    try:
        with current_app.connection_for_write(connect_timeout=2) as connection:
            connection.ensure_connection(max_retries=0, timeout=2)
    except UNREACHABLE:
        return False
    return True


def queues_served(*, expected: int, timeout: float = 1.0) -> set[str]:
    """Queues with a living worker, by remote ping; returns as soon as `expected` workers answered."""
    try:
        replies = current_app.control.ping(timeout=timeout, limit=expected)
    except UNREACHABLE:
        return set()
    return {node.split("@", 1)[0] for reply in replies for node in reply}


def workers_say(command: str, *, expected: int, timeout: float = 1.0) -> list[dict[str, Any]]:
    """What living workers answer to an inspect command (config/celery.py), without empty answers.

    Args:
        command: its name.
        expected: returns as soon as so many workers answered.
        timeout: in seconds.
    """
    try:
        replies = current_app.control.broadcast(command, reply=True, timeout=timeout, limit=expected)
    except UNREACHABLE:
        return []
    return [
        answer for reply in replies or [] for answer in reply.values() if isinstance(answer, dict) and answer
    ]
