import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nearest, offsetOf, placesOf } from '../firstread/linking.js';

function stack(positions, { frame = 'a', rowCosines = [1, 0, 0], columnCosines = [0, 1, 0] } = {}) {
  const planes = positions.map(z => ({
    rowCosines,
    columnCosines,
    imagePositionPatient: [5, 6, z],
    frameOfReferenceUID: frame,
  }));
  return placesOf(
    positions.map((_, index) => index),
    index => planes[index]
  );
}

const current = stack([0, 5, 10, 15, 20]);

test('in one frame of reference slices are found at the same place, whatever their spacing and order', () => {
  const thin = stack([20, 17.5, 15, 12.5, 10, 7.5, 5, 2.5, 0]);
  assert.equal(offsetOf(current, thin), 0);
  assert.equal(nearest(current, thin, 1, 0), 6);
  assert.equal(nearest(current, thin, 4, 0), 0);
});

test('in two frames of reference the middles are laid on each other', () => {
  const elsewhere = stack([-110, -105, -100, -95, -90], { frame: 'b' });
  const offset = offsetOf(current, elsewhere);
  assert.equal(offset, -110);
  assert.deepEqual([0, 2, 4].map(index => nearest(current, elsewhere, index, offset)), [0, 2, 4]);
});

test('linked anew, what is shown side by side stays so', () => {
  const prior = stack([0, 5, 10, 15, 20], { frame: 'b' });
  const offset = offsetOf(current, prior, 1, 3);
  assert.equal(nearest(current, prior, 0, offset), 2);
  assert.equal(nearest(current, prior, 2, offset), 4);
});

test('a stack with its normal the other way is scrolled along', () => {
  const flipped = stack([20, 15, 10, 5, 0], { columnCosines: [0, -1, 0] });
  assert.equal(nearest(current, flipped, 1, offsetOf(current, flipped)), 3);
});

test('another plane, or images without a place, are left alone', () => {
  const sagittal = stack([0, 5], { rowCosines: [0, 1, 0], columnCosines: [0, 0, -1] });
  assert.equal(nearest(current, sagittal, 1, 0), null);
  assert.equal(placesOf([0], () => ({})), null);
});
