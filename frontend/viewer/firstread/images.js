// From SOP Instance UIDs to what OHIF shows. An image is named by its UID, never by a slice number: the
// order of a stack is the viewer's business and changes with sorting.

/** The display set that holds an instance, or null. */
export function displaySetOf(displaySets, { sopInstanceUID, seriesInstanceUID }) {
  return (
    displaySets.find(
      set =>
        !set.isOverlayDisplaySet &&
        (!seriesInstanceUID || set.SeriesInstanceUID === seriesInstanceUID) &&
        imagesOf(set).some(image => image.SOPInstanceUID === sopInstanceUID)
    ) ?? null
  );
}

/** The imageId of an instance (its first frame) within a display set, or null. */
export function imageIdOf(displaySet, sopInstanceUID) {
  return imagesOf(displaySet).find(image => image.SOPInstanceUID === sopInstanceUID)?.imageId ?? null;
}

/** The SEG display set of a series, or null. */
export function segmentationOf(displaySets, seriesInstanceUID) {
  return displaySets.find(set => set.Modality === 'SEG' && set.SeriesInstanceUID === seriesInstanceUID) ?? null;
}

function imagesOf(displaySet) {
  return displaySet.images ?? displaySet.instances ?? [];
}
