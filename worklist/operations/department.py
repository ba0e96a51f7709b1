"""A simulated department: who is scanned in the demo, in which order, and with what.

Plain data and one pure function; the sending is in the `demo` command. Every name is synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Case:
    """One patient of the simulated day.

    Attributes:
        number: the seed of the head, which gives the patient, too.
        lesion: kind of bleed, or None.
        volume_ml: its volume in mL.
        pause_s: seconds to wait before this study is sent.
    """

    number: int
    priority: str
    location_class: str
    location: str
    department: str
    reason: str
    lesion: str | None = None
    volume_ml: float = 0.0
    pause_s: float = 6.0

    def accession_number(self, began: datetime) -> str:
        """SYN, minute at which the department opened, and the number: unique when it is played again."""
        return f"SYN{began:%y%m%d%H%M}{self.number:02d}"


# An ordinary hour: routine work first, so that the list has something to be passed by. The bleed of
# the routine outpatient is the jump to the top; those from the ER ring.
HOUR: tuple[Case, ...] = (
    Case(1, "routine", "outpatient", "Clinic 2", "", "Headache for three weeks", pause_s=0.0),
    Case(2, "routine", "inpatient", "Ward 4, bed 12", "", "Follow-up after fall last week"),
    Case(3, "asap", "inpatient", "Ward 7, bed 3", "", "New confusion"),
    Case(4, "stat", "er", "ER bed 4", "ER", "Fall from ladder, GCS 13", "epidural", 35.0),
    Case(5, "routine", "outpatient", "Clinic 1", "", "Dizziness"),
    Case(6, "stat", "er", "ER bed 2", "ER", "Sudden weakness of the left arm"),
    Case(7, "routine", "outpatient", "Clinic 3", "", "Headache on blood thinner", "intraparenchymal", 28.0),
    Case(8, "asap", "icu", "ICU bed 6", "", "Sedated, pupils unequal", "subdural", 55.0),
    Case(9, "routine", "inpatient", "Ward 2, bed 8", "", "Before lumbar puncture"),
    Case(10, "stat", "er", "ER bed 7", "ER", "Worst headache of life", "subarachnoid", 22.0),
    Case(11, "routine", "outpatient", "Clinic 2", "", "Memory clinic, first scan"),
    Case(12, "asap", "er", "ER bed 1", "ER", "Seizure, known epilepsy", "intraventricular", 18.0),
)


def cases(count: int, pace_s: float | None = None) -> list[Case]:
    """The first `count` cases; after the last one the hour begins again with new numbers.

    Args:
        count: how many.
        pace_s: seconds between studies instead of each case's own.
    """
    day = []
    for index in range(count):
        case = HOUR[index % len(HOUR)]
        number = case.number + len(HOUR) * (index // len(HOUR))
        pause = case.pause_s if pace_s is None or index == 0 else pace_s
        day.append(Case(**{**case.__dict__, "number": number, "pause_s": pause}))
    return day
