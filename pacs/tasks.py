"""What Celery wakes in the archive. Both are sweeps over the database: running twice is harmless."""

from foundation.queueing import Queue, task
from pacs import completeness
from pacs.services import reconcile


@task(name="pacs.complete_due_studies", queue=Queue.DEFAULT, time_limit=120)
def complete_due_studies() -> None:
    """Complete studies whose timer is due."""
    completeness.complete_due_studies()


@task(name="pacs.reconcile_archive", queue=Queue.DEFAULT, time_limit=1500)
def reconcile_archive() -> None:
    """Repair what a killed process left between disk and database."""
    reconcile.reconcile_archive()
