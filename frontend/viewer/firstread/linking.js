// Two stacks scrolled by patient position. Pure: positions in mm along the slice normal, no viewer.

/** Slices within about 20 degrees of each other count as the same plane. */
const SAME_PLANE = Math.cos((20 * Math.PI) / 180);

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/**
 * Where the slices of a stack lie: `{ normal, frame, positions }`, positions in mm along the normal, in the order
 * of the stack; null when an image has no place in the patient (DICOM PS3.3 section C.7.6.2).
 */
export function placesOf(imageIds, planeOf) {
  const planes = imageIds.map(planeOf);
  const first = planes[0];
  if (!first?.rowCosines || !first.columnCosines) {
    return null;
  }
  const [a, b] = [first.rowCosines, first.columnCosines];
  const normal = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  if (!planes.every(plane => plane?.imagePositionPatient)) {
    return null;
  }
  return {
    normal,
    frame: first.frameOfReferenceUID ?? '',
    positions: planes.map(plane => dot(plane.imagePositionPatient, normal)),
  };
}

/**
 * How far the second stack's positions lie from the first one's, in mm. In one frame of reference they are the same
 * place. In two, the patient lay elsewhere: the middles of the stacks are laid on each other, or, when indices are
 * given, what is shown side by side.
 */
export function offsetOf(from, to, fromIndex = null, toIndex = null) {
  const side = dot(from.normal, to.normal) < 0 ? -1 : 1;
  if (fromIndex !== null && toIndex !== null) {
    return side * to.positions[toIndex] - from.positions[fromIndex];
  }
  if (from.frame && from.frame === to.frame) {
    return 0;
  }
  const middle = positions => (Math.min(...positions) + Math.max(...positions)) / 2;
  return side * middle(to.positions) - middle(from.positions);
}

/** Index of the slice of `to` nearest to slice `index` of `from`; null for stacks in different planes. */
export function nearest(from, to, index, offset) {
  const together = dot(from.normal, to.normal);
  if (Math.abs(together) < SAME_PLANE || from.positions[index] === undefined) {
    return null;
  }
  const side = together < 0 ? -1 : 1;
  const wanted = from.positions[index] + offset;
  let best = 0;
  to.positions.forEach((position, at) => {
    if (Math.abs(side * position - wanted) < Math.abs(side * to.positions[best] - wanted)) {
      best = at;
    }
  });
  return best;
}
