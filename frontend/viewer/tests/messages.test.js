import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULT_OPACITY, isUid, readCommand, WINDOWS } from '../firstread/messages.js';

const host = {};
const from = { origin: 'https://reading.example', host };
const event = (data, changes = {}) => ({
  source: host,
  origin: from.origin,
  data: { source: 'firstread', ...data },
  ...changes,
});

test('a jump of the host is read', () => {
  assert.deepEqual(readCommand(event({ type: 'jump', sopInstanceUID: '1.2.3', seriesInstanceUID: '1.2' }), from), {
    type: 'jump',
    sopInstanceUID: '1.2.3',
    seriesInstanceUID: '1.2',
  });
});

test('a message from another origin is ignored', () => {
  const message = { type: 'jump', sopInstanceUID: '1.2.3' };
  assert.equal(readCommand(event(message, { origin: 'https://evil.example' }), from), null);
});

test('a message from a window that is not the host is ignored', () => {
  assert.equal(readCommand(event({ type: 'window', preset: 'bone' }, { source: {} }), from), null);
});

test('without a host every message is ignored', () => {
  const message = event({ type: 'window', preset: 'bone' }, { source: null });
  assert.equal(readCommand(message, { ...from, host: null }), null);
});

test('what does not speak the language is ignored', () => {
  for (const data of [null, 'jump', 7, {}, { source: 'react-devtools' }]) {
    assert.equal(readCommand({ source: host, origin: from.origin, data }, from), null);
  }
});

test('a command of the host that makes no sense is answered, not carried out', () => {
  for (const data of [{ type: 'unknown' }, {}, { type: 'jump', sopInstanceUID: '../studies' }]) {
    assert.deepEqual(readCommand(event(data), from), { type: 'malformed' });
  }
});

test('only presets that exist are read, and none through the prototype', () => {
  assert.equal(readCommand(event({ type: 'window', preset: 'subdural' }), from).preset, 'subdural');
  assert.equal(readCommand(event({ type: 'window', preset: 'toString' }), from).type, 'malformed');
  assert.equal(readCommand(event({ type: 'window', preset: 'liver' }), from).type, 'malformed');
  assert.equal(readCommand(event({ type: 'window', preset: 'own' }), from).preset, 'own');
  assert.equal(readCommand(event({ type: 'link', on: false }), from).on, false);
  assert.equal(readCommand(event({ type: 'link' }), from).type, 'malformed');
});

test('the windows are those of the reading room', () => {
  assert.deepEqual({ ...WINDOWS.brain }, { windowWidth: 80, windowCenter: 40 });
  assert.deepEqual({ ...WINDOWS.subdural }, { windowWidth: 200, windowCenter: 75 });
  assert.deepEqual({ ...WINDOWS.bone }, { windowWidth: 2500, windowCenter: 480 });
});

test('an overlay that is switched on names its series', () => {
  assert.equal(readCommand(event({ type: 'overlay', on: true }), from).type, 'malformed');
  assert.equal(readCommand(event({ type: 'overlay', on: 'yes', segSeriesInstanceUID: '1.2' }), from).type, 'malformed');
  assert.equal(readCommand(event({ type: 'overlay', on: true, segSeriesInstanceUID: '1.2' }), from).on, true);
  assert.equal(readCommand(event({ type: 'overlay', on: false }), from).on, false);
});

test('an opacity outside 0 to 1 becomes the usual one', () => {
  const read = opacity => readCommand(event({ type: 'overlay', on: true, segSeriesInstanceUID: '1.2', opacity }), from).opacity;
  assert.equal(read(0.8), 0.8);
  for (const opacity of [-1, 2, Number.NaN, '0.5', undefined]) {
    assert.equal(read(opacity), DEFAULT_OPACITY);
  }
});

test('a UID is digits and dots, 64 characters at most', () => {
  assert.ok(isUid('1.2.840.10008'));
  for (const value of ['', '1..2', '.1', '1.', '1.2/../3', 'a.b', '1'.repeat(65), 12, null]) {
    assert.ok(!isUid(value), String(value));
  }
});
