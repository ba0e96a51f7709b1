"""Writing to the archive."""

from pacs.services.associations import close_association
from pacs.services.objects import Association, IncomingInstance, Outcome, Source, StoreResult
from pacs.services.store import store_derived, store_instances

__all__ = [
    "Association",
    "IncomingInstance",
    "Outcome",
    "Source",
    "StoreResult",
    "close_association",
    "store_derived",
    "store_instances",
]
