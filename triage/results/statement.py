"""What an AI result says, as both DICOM objects tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.sr.coding import Code

MANUFACTURER: Final = "Firstread"
BRAIN: Final = Code("12738006", "SCT", "Brain")
PRESENT: Final = Code("52101004", "SCT", "Present")
ABSENT: Final = Code("272519000", "SCT", "Absent")
LATERALITY: Final = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "both": Code("51440002", "SCT", "Bilateral"),
}


@dataclass(frozen=True)
class Statement:
    """One model's view on one finding.

    Attributes:
        model, version, weights_sha256: which algorithm; see TID 4019.
        finding: code of what was looked for.
        present: at or above the model's threshold.
        probability: 0 to 1.
        threshold: from which probability on the model calls it present.
        volume_ml, largest_diameter_mm: of what was segmented; None when absent.
        side: left, right, both, midline or "".
        tracking_uid: shared by the segment and the SR's measurement group.
        software_version: of Firstread.
        site: code of the body part that the finding is looked for in.
        probability_method: how the network's answer became the probability, in words.
        midline_shift_mm, midline_shift_uncertainty_mm: positive to the patient's left; None when not measured.
        comparison: new, known, grown, not_compared, or "" without an analysed prior.
        growth_ml: volume now minus volume then, of what has a counterpart.
    """

    model: str
    version: str
    weights_sha256: str
    finding: Code
    present: bool
    probability: float
    threshold: float
    volume_ml: float | None
    largest_diameter_mm: float | None
    side: str
    tracking_uid: str
    software_version: str
    site: Code = BRAIN
    probability_method: str = ""
    midline_shift_mm: float | None = None
    midline_shift_uncertainty_mm: float | None = None
    comparison: str = ""
    growth_ml: float | None = None

    @property
    def tracking_id(self) -> str:
        """Readable name of the tracked finding."""
        return f"{self.finding.meaning} by {self.model} {self.version}"[:64]

    @property
    def series_description(self) -> str:
        """Says that it is AI, and unconfirmed."""
        return f"AI (unconfirmed): {self.finding.meaning}"[:64]
