// Which series is shown first, and how. One image area with the main series; a CT of the head starts in the
// brain window; a study beside its prior stands left and right.

import { WINDOWS } from './messages.js';

const HEAD_BODY_PARTS = new Set(['HEAD', 'BRAIN', 'SKULL']);
const HEAD_WORDS = /\b(head|brain|skull|cranial|cranium|cerebral|schaedel|schädel|kopf|crane|crâne|cerveau)\b/i;
const BONE_WORDS = /\bbone\b|\bknochen\b|\bos\b/i;

function first(value) {
  return Array.isArray(value) ? value[0] : value;
}

function firstImage(displaySet) {
  return displaySet?.images?.[0] ?? displaySet?.instances?.[0] ?? displaySet?.instance ?? {};
}

function isImageSeries(displaySet) {
  return (displaySet.numImageFrames ?? 0) > 0 && !displaySet.isOverlayDisplaySet;
}

/** Whether the display set is a CT of the head by body part examined or by its descriptions. */
export function isHeadCt(displaySet) {
  const image = firstImage(displaySet);
  if ((displaySet.Modality ?? image.Modality) !== 'CT') {
    return false;
  }
  const part = String(image.BodyPartExamined ?? '').trim().toUpperCase();
  if (part) {
    return HEAD_BODY_PARTS.has(part);
  }
  return [image.StudyDescription, image.SeriesDescription, image.ProtocolName].some(text => HEAD_WORDS.test(text ?? ''));
}

/** LOCALIZER is value 3 of Image Type for CT (DICOM PS3.3 section C.8.2.1.1.1). */
export function isLocalizer(displaySet) {
  const type = firstImage(displaySet).ImageType;
  return Array.isArray(type) && type.some(value => String(value).toUpperCase() === 'LOCALIZER');
}

/** Axial within 35 degrees, so that a tilted gantry still counts. */
export function isAxial(displaySet) {
  const cosines = firstImage(displaySet).ImageOrientationPatient;
  if (!Array.isArray(cosines) || cosines.length !== 6) {
    return false;
  }
  const [rowX, rowY, , columnX, columnY] = cosines.map(Number);
  return Math.abs(rowX * columnY - rowY * columnX) > Math.cos((35 * Math.PI) / 180);
}

export function isSoftTissue(displaySet) {
  const image = firstImage(displaySet);
  const kernel = String(first(image.ConvolutionKernel) ?? '');
  return !BONE_WORDS.test(`${displaySet.SeriesDescription ?? ''} ${kernel}`);
}

/** Whether no other axial, non-localizer series of the study has more images. */
export function isLargest(displaySet, others) {
  const rivals = others.filter(set => isImageSeries(set) && isAxial(set) && !isLocalizer(set));
  return rivals.every(set => set.numImageFrames <= displaySet.numImageFrames);
}

/** Attributes that OHIF's matcher asks for by name; each answers a boolean. */
export const ATTRIBUTES = Object.freeze({
  firstreadHeadCt: (study, options) => (options?.displaySets ?? []).some(set => isImageSeries(set) && isHeadCt(set)),
  firstreadNotLocalizer: displaySet => !isLocalizer(displaySet),
  firstreadAxial: displaySet => isAxial(displaySet),
  firstreadSoftTissue: displaySet => isSoftTissue(displaySet),
  firstreadLargest: (displaySet, options) => isLargest(displaySet, options?.displaySets ?? []),
});

function prefer(attribute, weight) {
  return { attribute, weight, constraint: { equals: { value: true } } };
}

// SEG and SR have no image frames of their own to show: they never come up by themselves.
const MAIN_SERIES = [
  { attribute: 'numImageFrames', required: true, constraint: { greaterThan: { value: 0 } } },
  { attribute: 'Modality', required: true, constraint: { doesNotEqual: { value: 'SEG' } } },
  prefer('isDisplaySetFromUrl', 1000),
  prefer('firstreadNotLocalizer', 100),
  prefer('firstreadAxial', 20),
  prefer('firstreadSoftTissue', 8),
  prefer('firstreadLargest', 5),
];

const VIEWPORT = {
  viewportType: 'stack',
  toolGroupId: 'default',
  allowUnmatchedView: true,
  // The middle of a head shows more than its vertex or its base.
  initialImageOptions: { preset: 'middle' },
  syncGroups: [{ type: 'hydrateseg', id: 'sameFORId', source: true, target: true }],
};

function studyAt(index) {
  return [
    { attribute: 'studyInstanceUIDsIndex', from: 'options', required: true, constraint: { equals: { value: index } } },
  ];
}

function protocol({ id, name, rules, selectors, columns, displaySetOptions, priors = 0 }) {
  return {
    id,
    name,
    protocolMatchingRules: rules,
    toolGroupIds: ['default'],
    numberOfPriorsReferenced: priors,
    defaultViewport: {
      viewportOptions: VIEWPORT,
      displaySets: [{ id: Object.keys(selectors)[0], matchedDisplaySetsIndex: -1, ...displaySetOptions }],
    },
    displaySetSelectors: selectors,
    stages: [
      {
        name,
        viewportStructure: { layoutType: 'grid', properties: { rows: 1, columns } },
        viewports: Object.keys(selectors).map(selector => ({
          viewportOptions: VIEWPORT,
          displaySets: [{ id: selector, ...displaySetOptions }],
        })),
      },
    ],
  };
}

const BRAIN = { options: { voi: { ...WINDOWS.brain } } };
const MAIN_ALONE = { main: { seriesMatchingRules: MAIN_SERIES } };
const MAIN_BESIDE_PRIOR = {
  main: { studyMatchingRules: studyAt(0), seriesMatchingRules: MAIN_SERIES },
  prior: { studyMatchingRules: studyAt(1), seriesMatchingRules: MAIN_SERIES },
};
const HEAD_RULE = { ...prefer('firstreadHeadCt', 100), required: true };
const PRIOR_RULE = {
  attribute: 'StudyInstanceUID',
  from: 'prior',
  weight: 1000,
  required: true,
  constraint: { notNull: true },
};

/** OHIF takes the one with the highest score; two studies in the address are a study and its prior. */
export const PROTOCOLS = [
  protocol({
    id: '@firstread/head-ct',
    name: 'CT of the head',
    rules: [HEAD_RULE],
    selectors: MAIN_ALONE,
    columns: 1,
    displaySetOptions: BRAIN,
  }),
  protocol({
    id: '@firstread/head-ct-prior',
    name: 'CT of the head beside its prior',
    rules: [PRIOR_RULE, HEAD_RULE],
    selectors: MAIN_BESIDE_PRIOR,
    columns: 2,
    displaySetOptions: BRAIN,
    priors: 1,
  }),
  protocol({
    id: '@firstread/general',
    name: 'One series',
    rules: [{ attribute: 'numberOfDisplaySetsWithImages', weight: 1, constraint: { greaterThan: { value: 0 } } }],
    selectors: MAIN_ALONE,
    columns: 1,
    displaySetOptions: {},
  }),
  protocol({
    id: '@firstread/general-prior',
    name: 'One series beside its prior',
    rules: [PRIOR_RULE],
    selectors: MAIN_BESIDE_PRIOR,
    columns: 2,
    displaySetOptions: {},
    priors: 1,
  }),
];
