"""A model's masks as a DICOM Segmentation on the native slices (PS3.3 A.51), one segment for each finding."""

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
from triage.results.statement import MANUFACTURER, Statement

SERIES_NUMBER = 9001
# L*, a*, b* that stand out from grey and from each other; the seventh segment starts anew. The first is the
# pages' violet for all that AI says, #b79cff in sRGB.
_COLOURS = (
    (70.2, 30.5, -45.7),
    (75.0, -35.0, -20.0),
    (80.0, 0.0, 75.0),
    (60.0, 70.0, -25.0),
    (80.0, -55.0, 50.0),
    (60.0, 15.0, -55.0),
)


def make_seg(
    marked: Sequence[tuple[Statement, NDArray[np.bool_]]],
    slices: Sequence[FrameSource],
    sources: Sequence[Dataset],
) -> Dataset:
    """Binary segments, numbered from 1 in the order given; frames without a pixel of any are left out.

    The masks' slices are put into the order of the source frames by SOP Instance UID and frame number,
    never by position in a list, so each SEG frame refers to the very image it was drawn on.

    Args:
        marked: what each segment shows, and its mask: bool [slice, row, column], at least one pixel set.
        slices: the frame behind each slice of the masks.
        sources: headers of the series' instances (pixel data may be missing), in any order.
    """
    if not marked or not all(mask.any() for _, mask in marked):
        raise ValueError("an empty mask makes no segmentation")
    placed = [_in_source_order(mask, slices, sources) for _, mask in marked]
    frames = np.stack([frames for _, frames in placed], axis=-1).astype(np.uint8)
    first = marked[0][0]
    segmentation = Segmentation(
        source_images=placed[0][0],
        # [frame, row, column, segment]: findings of one model may overlap.
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _segment(number, statement) for number, (statement, _) in enumerate(marked, start=1)
        ],
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=first.model,
        software_versions=first.software_version,
        device_serial_number=first.weights_sha256[:16],
        content_label="AI_RESULT",
        content_description=first.series_description,
        series_description=first.series_description,
        omit_empty_frames=True,
    )
    versions = [first.software_version, f"{first.model} {first.version}"]
    segmentation.add_new("SoftwareVersions", "LO", versions)
    if "ImagePositionPatient" not in segmentation and "FrameOfReferenceUID" not in sources[0]:
        # A projection has no place in the patient; the way it lies is all that tells (PS3.3 C.7.6.1.1.1).
        segmentation.PatientOrientation = sources[0].get("PatientOrientation", "")
    return segmentation


def _segment(number: int, statement: Statement) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
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
        anatomic_regions=[statement.site],
        display_color=CIELabColor(*_COLOURS[(number - 1) % len(_COLOURS)]),
    )


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
