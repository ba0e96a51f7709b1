// The language between the host page and the viewer. Pure: what a message must look like, nothing else.

export const HOST = 'firstread';
export const VIEWER = 'firstread-viewer';

/** Window presets for CT, in HU. */
export const WINDOWS = Object.freeze({
  brain: Object.freeze({ windowWidth: 80, windowCenter: 40 }),
  subdural: Object.freeze({ windowWidth: 200, windowCenter: 75 }),
  bone: Object.freeze({ windowWidth: 2500, windowCenter: 480 }),
  stroke: Object.freeze({ windowWidth: 40, windowCenter: 35 }),
  soft: Object.freeze({ windowWidth: 400, windowCenter: 40 }),
  lung: Object.freeze({ windowWidth: 1500, windowCenter: -600 }),
});
/** The window that the image itself brings. */
export const OWN_WINDOW = 'own';

export const DEFAULT_OPACITY = 0.35;

// DICOM PS3.5 section 9.1: digits and dots, at most 64 characters.
const UID = /^[0-9]+(\.[0-9]+)*$/;

export function isUid(value) {
  return typeof value === 'string' && value.length <= 64 && UID.test(value);
}

/** What the host said cannot be carried out as it stands; it is told so. */
const MALFORMED = Object.freeze({ type: 'malformed' });

/**
 * Read a message event. Returns a command, or null for an event that is not the host's.
 *
 * Only the window around the viewer (or the one that opened it) may speak, and only from the same origin:
 * any page could otherwise steer the images a radiologist is looking at.
 */
export function readCommand(event, { origin, host }) {
  if (!host || event.source !== host || event.origin !== origin) {
    return null;
  }
  const message = event.data;
  if (typeof message !== 'object' || message === null || message.source !== HOST) {
    return null;
  }
  switch (message.type) {
    case 'jump':
      return readJump(message);
    case 'overlay':
      return readOverlay(message);
    case 'window':
      return message.preset === OWN_WINDOW || Object.hasOwn(WINDOWS, message.preset)
        ? { type: 'window', preset: message.preset }
        : MALFORMED;
    case 'link':
      return typeof message.on === 'boolean' ? { type: 'link', on: message.on } : MALFORMED;
    default:
      return MALFORMED;
  }
}

function readJump({ sopInstanceUID, seriesInstanceUID }) {
  if (!isUid(sopInstanceUID) || (seriesInstanceUID && !isUid(seriesInstanceUID))) {
    return MALFORMED;
  }
  return { type: 'jump', sopInstanceUID, seriesInstanceUID: seriesInstanceUID || null };
}

function readOverlay({ on, segSeriesInstanceUID, opacity }) {
  if (typeof on !== 'boolean' || (on && !isUid(segSeriesInstanceUID))) {
    return MALFORMED;
  }
  if (segSeriesInstanceUID && !isUid(segSeriesInstanceUID)) {
    return MALFORMED;
  }
  const given = typeof opacity === 'number' && opacity >= 0 && opacity <= 1;
  return {
    type: 'overlay',
    on,
    segSeriesInstanceUID: segSeriesInstanceUID || null,
    opacity: given ? opacity : DEFAULT_OPACITY,
  };
}
