import assert from 'node:assert/strict';
import { test } from 'node:test';

import { drawingOf, frameOf } from '../firstread/measurements.js';

const IMAGE = 'wadors:/dicom-web/studies/1/series/1.2/instances/1.2.3/frames/4';
const places = {
  toImage: (imageId, [x, y]) => [x / 2 + 0.5, y / 2 + 0.5],
  instanceOf: imageId =>
    imageId === IMAGE ? { StudyInstanceUID: '1', SeriesInstanceUID: '1.2', SOPInstanceUID: '1.2.3' } : undefined,
};

function annotation(part = {}) {
  return {
    annotationUID: 'a',
    metadata: { toolName: 'Length', referencedImageId: IMAGE },
    data: { handles: { points: [[0, 0, 5], [10, 4, 5]] }, label: 'lesion' },
    ...part,
  };
}

test('a line is told by its image, frame and pixel coordinates', () => {
  assert.deepEqual(drawingOf(annotation(), places), {
    uid: 'a',
    kind: 'length',
    studyInstanceUID: '1',
    seriesInstanceUID: '1.2',
    sopInstanceUID: '1.2.3',
    frame: 4,
    points: [[0.5, 0.5], [5.5, 2.5]],
    label: 'lesion',
  });
});

test('what has no image, too few points or another tool is not told', () => {
  const elsewhere = { toolName: 'Length', referencedImageId: 'other' };
  assert.equal(drawingOf(annotation({ metadata: elsewhere }), places), null);
  assert.equal(drawingOf(annotation({ metadata: { toolName: 'Probe', referencedImageId: IMAGE } }), places), null);
  assert.equal(drawingOf(annotation({ data: { handles: { points: [[0, 0, 0]] } } }), places), null);
  assert.equal(drawingOf(annotation(), { ...places, toImage: () => [Number.NaN, 1] }), null);
  assert.equal(drawingOf(undefined, places), null);
});

test('an image without frames has one', () => {
  assert.equal(frameOf('wadors:/x/instances/1'), 1);
  assert.equal(frameOf(IMAGE), 4);
});
