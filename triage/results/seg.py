"""A model's mask as a DICOM Segmentation on the native slices (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from triage.inference.volume import FrameSource
from triage.results.statement import BRAIN, MANUFACTURER, Statement

SERIES_NUMBER = 9001
SEGMENT = 1
_ORANGE = CIELabColor(70.0, 45.0, 70.0)


def make_seg(
    mask: NDArray[np.bool_],
    slices: Sequence[FrameSource],
    sources: Sequence[Dataset],
    statement: Statement,
) -> Dataset:
    """One binary segment; frames without a pixel of it are left out.

    The mask's slices are put into the order of the source frames by SOP Instance UID and frame number,
    never by position in a list, so each SEG frame refers to the very image it was drawn on.

    Args:
        mask: bool [slice, row, column]; at least one pixel is set.
        slices: the frame behind each slice of the mask.
        sources: headers of the series' instances (pixel data may be missing), in any order.
        statement: what it shows.
    """
    if not mask.any():
        raise ValueError("an empty mask makes no segmentation")
    images, frames = _in_source_order(mask, slices, sources)
    segmentation = Segmentation(
        source_images=images,
        pixel_array=frames.astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            SegmentDescription(
                segment_number=SEGMENT,
                segment_label=statement.finding.meaning[:64],
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=statement.finding,
                algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=AlgorithmIdentificationSequence(
                    name=statement.model,
                    family=codes.cid7162.ArtificialIntelligence,
                    version=statement.version,
                    source=MANUFACTURER,
                    parameters={"weights_sha256": statement.weights_sha256},
                ),
                tracking_uid=statement.tracking_uid,
                tracking_id=statement.tracking_id,
                anatomic_regions=[BRAIN],
                display_color=_ORANGE,
            )
        ],
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=statement.model,
        software_versions=statement.software_version,
        device_serial_number=statement.weights_sha256[:16],
        content_label="AI_RESULT",
        content_description=statement.series_description,
        series_description=statement.series_description,
        omit_empty_frames=True,
    )
    versions = [statement.software_version, f"{statement.model} {statement.version}"]
    segmentation.add_new("SoftwareVersions", "LO", versions)
    return segmentation


def _in_source_order(
    mask: NDArray[np.bool_], slices: Sequence[FrameSource], sources: Sequence[Dataset]
) -> tuple[list[Dataset], NDArray[np.bool_]]:
    """Source instances that were analysed, and the mask for each of their frames."""
    place = {(source.sop_instance_uid, source.frame): index for index, source in enumerate(slices)}
    used = {source.sop_instance_uid for source in slices}
    images = [image for image in sources if str(image.SOPInstanceUID) in used]
    order = {uid: index for index, uid in enumerate(dict.fromkeys(s.sop_instance_uid for s in slices))}
    images.sort(key=lambda image: order[str(image.SOPInstanceUID)])
    if {str(image.SOPInstanceUID) for image in images} != used:
        raise ValueError("a source instance of the mask is missing")
    wanted = [
        (str(image.SOPInstanceUID), frame)
        for image in images
        for frame in range(1, int(image.get("NumberOfFrames") or 1) + 1)
    ]
    frames = np.zeros((len(wanted), *mask.shape[1:]), dtype=bool)
    for number, key in enumerate(wanted):
        if key in place:
            frames[number] = mask[place[key]]
    return images, frames
