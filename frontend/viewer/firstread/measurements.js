// What a reader draws, told in the image's own coordinates: the archive wants columns and rows of one image.

/** Tools whose drawings can be kept, and what they are called outside. */
const KINDS = Object.freeze({ Length: 'length', Angle: 'angle', EllipticalROI: 'ellipse' });
const POINTS = Object.freeze({ length: 2, angle: 3, ellipse: 4 });

/** The frame that an imageId names, from 1; images without frames have one. */
export function frameOf(imageId) {
  const found = /\/frames\/(\d+)/.exec(imageId ?? '');
  return found ? Number(found[1]) : 1;
}

/**
 * A drawing as the host is told of it, or null for what cannot be kept.
 *
 * `toImage(imageId, worldPoint)` answers [column, row], where (0.5, 0.5) is the centre of the first pixel
 * (DICOM PS3.3 section C.18.6.1.2); `instanceOf(imageId)` the attributes of the image.
 */
export function drawingOf(annotation, { toImage, instanceOf }) {
  const kind = KINDS[annotation?.metadata?.toolName];
  const imageId = annotation?.metadata?.referencedImageId;
  const world = annotation?.data?.handles?.points;
  const instance = imageId && instanceOf(imageId);
  if (!kind || !instance?.SOPInstanceUID || world?.length !== POINTS[kind]) {
    return null;
  }
  const points = world.map(point => toImage(imageId, point));
  if (!points.every(point => point?.length === 2 && point.every(Number.isFinite))) {
    return null;
  }
  return {
    uid: annotation.annotationUID,
    kind,
    studyInstanceUID: instance.StudyInstanceUID,
    seriesInstanceUID: instance.SeriesInstanceUID,
    sopInstanceUID: instance.SOPInstanceUID,
    frame: frameOf(imageId),
    points,
    label: String(annotation.data.label ?? '').slice(0, 64),
  };
}
