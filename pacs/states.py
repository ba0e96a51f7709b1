"""The moves of a study between receiving and complete."""

from foundation.transitions import Machine
from pacs.models import StudyState

STUDY = Machine(
    name="study",
    table={
        (StudyState.RECEIVING, "complete"): StudyState.COMPLETE,
        (StudyState.COMPLETE, "reopen"): StudyState.RECEIVING,
    },
)
