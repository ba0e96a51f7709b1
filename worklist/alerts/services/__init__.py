"""Raise, escalate and answer alerts. Each move is guarded and written into the delivery log."""

from worklist.alerts.services.answering import NOT_MY_PATIENT, acknowledge, being_treated, decline
from worklist.alerts.services.escalating import escalate_due, pass_on_unreached
from worklist.alerts.services.raising import name_department, raise_for_run, raise_missing

__all__ = [
    "NOT_MY_PATIENT",
    "acknowledge",
    "being_treated",
    "decline",
    "escalate_due",
    "name_department",
    "pass_on_unreached",
    "raise_for_run",
    "raise_missing",
]
