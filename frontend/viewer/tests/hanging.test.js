import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ATTRIBUTES, isAxial, isHeadCt, isLargest, isLocalizer, isSoftTissue, PROTOCOLS } from '../firstread/hanging.js';

const AXIAL = [1, 0, 0, 0, 1, 0];
const set = (image, rest = {}) => ({ Modality: 'CT', numImageFrames: 30, images: [image], ...rest });

test('a CT is of the head by its body part', () => {
  for (const part of ['HEAD', 'brain', ' SKULL ']) {
    assert.ok(isHeadCt(set({ BodyPartExamined: part })), part);
  }
  assert.ok(!isHeadCt(set({ BodyPartExamined: 'CHEST', StudyDescription: 'Head and chest' })));
});

test('a CT without a body part is of the head by its descriptions', () => {
  assert.ok(isHeadCt(set({ StudyDescription: 'CT Head w/o' })));
  assert.ok(isHeadCt(set({ ProtocolName: 'Schädel nativ' })));
  assert.ok(!isHeadCt(set({ StudyDescription: 'Radial head of the elbow' }, { Modality: 'MR' })));
  assert.ok(!isHeadCt(set({ StudyDescription: 'Abdomen, overhead view' })));
});

test('a tilted gantry is still axial, a coronal reformat is not', () => {
  assert.ok(isAxial(set({ ImageOrientationPatient: AXIAL })));
  assert.ok(isAxial(set({ ImageOrientationPatient: [1, 0, 0, 0, 0.9483, -0.3173] })));
  assert.ok(!isAxial(set({ ImageOrientationPatient: [1, 0, 0, 0, 0, -1] })));
  assert.ok(!isAxial(set({ ImageOrientationPatient: [0, 1, 0, 0, 0, -1] })));
  assert.ok(!isAxial(set({})));
});

test('a localizer says so in its image type', () => {
  assert.ok(isLocalizer(set({ ImageType: ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] })));
  assert.ok(!isLocalizer(set({ ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'] })));
  assert.ok(!isLocalizer(set({})));
});

test('a bone series is known by its kernel or its name', () => {
  assert.ok(!isSoftTissue(set({ ConvolutionKernel: 'BONE' })));
  assert.ok(!isSoftTissue(set({}, { SeriesDescription: 'Head bone 1 mm' })));
  assert.ok(isSoftTissue(set({ ConvolutionKernel: ['STD+'] }, { SeriesDescription: 'Head 5 mm' })));
});

test('the largest is compared with axial series of images only', () => {
  const main = set({ ImageOrientationPatient: AXIAL }, { numImageFrames: 30 });
  const thin = set({ ImageOrientationPatient: AXIAL }, { numImageFrames: 40 });
  const overlay = set({ ImageOrientationPatient: AXIAL }, { numImageFrames: 99, isOverlayDisplaySet: true });
  const coronal = set({ ImageOrientationPatient: [1, 0, 0, 0, 0, -1] }, { numImageFrames: 99 });
  assert.ok(isLargest(main, [main, overlay, coronal]));
  assert.ok(!isLargest(main, [main, thin]));
});

test('a study with an overlay of the head alone is not a head CT', () => {
  const overlay = set({ BodyPartExamined: 'HEAD' }, { isOverlayDisplaySet: true });
  assert.equal(ATTRIBUTES.firstreadHeadCt({}, { displaySets: [overlay] }), false);
  assert.equal(ATTRIBUTES.firstreadHeadCt({}, { displaySets: [overlay, set({ BodyPartExamined: 'HEAD' })] }), true);
});

test('every protocol asks only for attributes that exist, and the head starts in the brain window', () => {
  const own = PROTOCOLS.flatMap(protocol => [
    ...protocol.protocolMatchingRules,
    ...Object.values(protocol.displaySetSelectors).flatMap(selector => selector.seriesMatchingRules),
  ])
    .map(rule => rule.attribute)
    .filter(name => name.startsWith('firstread'));
  assert.ok(own.length > 4);
  for (const name of own) {
    assert.equal(typeof ATTRIBUTES[name], 'function', name);
  }
  const [head] = PROTOCOLS;
  assert.deepEqual(head.stages[0].viewports[0].displaySets[0].options.voi, { windowWidth: 80, windowCenter: 40 });
});
