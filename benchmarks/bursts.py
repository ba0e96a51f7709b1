"""What the benchmarks that send studies and count seconds share."""

from __future__ import annotations

import copy
import math

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid


def another(datasets: list[Dataset], accession: str, *, announce: bool = True) -> list[Dataset]:
    """The same images as another patient's study, with or without the count of images in them."""
    study, series = generate_uid(), generate_uid()
    made = []
    for source in datasets:
        dataset = copy.deepcopy(source)  # a shallow copy shares its elements with the other senders'
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.PatientID = dataset.AccessionNumber = accession
        if not announce:
            for keyword in ("ImagesInAcquisition", "NumberOfStudyRelatedInstances"):
                if keyword in dataset:
                    delattr(dataset, keyword)
        made.append(dataset)
    return made


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
