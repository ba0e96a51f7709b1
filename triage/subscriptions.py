"""Which news from the archive the triage room listens to."""

from foundation.events import SendingPaused, StudyCompleted, subscribe
from foundation.queueing import enqueue
from triage import tasks


def study_is_complete(event: StudyCompleted) -> None:
    """Plan in a worker: the receiver and the web server have better things to do."""
    enqueue(tasks.plan, event.study_id)


def sending_pauses(event: SendingPaused) -> None:
    """Look before the quiet time is over, where the slices may be all there are."""
    enqueue(tasks.plan_early, event.study_id)


def connect() -> None:
    """Called once when the app is ready."""
    subscribe(StudyCompleted, study_is_complete)
    subscribe(SendingPaused, sending_pauses)
