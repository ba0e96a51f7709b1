"""The ground floor: who is here, what happened, how a status changes, how work is queued."""
