import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addCsrfToken, cookieValue, needsToken } from '../firstread/csrf.js';
import { displaySetOf, imageIdOf, segmentationOf } from '../firstread/images.js';
import makeViews from '../ndarray-views.js';

const PAGE = 'https://reading.example/viewer/viewer';

test('the token is found among other cookies', () => {
  assert.equal(cookieValue('a=1; csrftoken=abc%3D; b=2', 'csrftoken'), 'abc=');
  assert.equal(cookieValue('xcsrftoken=1', 'csrftoken'), null);
  assert.equal(cookieValue('', 'csrftoken'), null);
});

test('only requests that change something here carry the token', () => {
  assert.ok(needsToken('POST', '/dicom-web/studies', PAGE));
  assert.ok(needsToken('delete', 'https://reading.example/x', PAGE));
  assert.ok(!needsToken('GET', '/dicom-web/studies', PAGE));
  assert.ok(!needsToken('POST', 'https://elsewhere.example/studies', PAGE));
  assert.ok(!needsToken('POST', '//elsewhere.example/studies', PAGE));
});

test('a request that is used twice carries the token only where it belongs', () => {
  const sent = [];
  class XMLHttpRequest {
    open(method, url) {
      this.headers = {};
      this.address = `${method} ${url}`;
    }
    setRequestHeader(name, value) {
      this.headers[name] = value;
    }
    send() {
      sent.push([this.address, this.headers]);
    }
  }
  addCsrfToken({ XMLHttpRequest, location: { href: PAGE }, document: { cookie: 'csrftoken=abc' } });
  const request = new XMLHttpRequest();
  for (const [method, url] of [['POST', '/dicom-web/studies'], ['POST', 'https://elsewhere.example/'], ['GET', '/x']]) {
    request.open(method, url);
    request.send();
  }
  assert.deepEqual(sent, [
    ['POST /dicom-web/studies', { 'X-CSRFToken': 'abc' }],
    ['POST https://elsewhere.example/', {}],
    ['GET /x', {}],
  ]);
});

const CT = {
  SeriesInstanceUID: '1.1',
  images: [
    { SOPInstanceUID: '1.1.1', imageId: 'a' },
    { SOPInstanceUID: '1.1.2', imageId: 'b' },
  ],
};
const SEG = {
  SeriesInstanceUID: '1.9',
  Modality: 'SEG',
  isOverlayDisplaySet: true,
  instances: [{ SOPInstanceUID: '1.1.2' }],
};

test('an image is found by its UID whatever its place in the stack', () => {
  const turned = { ...CT, images: [...CT.images].reverse() };
  for (const displaySet of [CT, turned]) {
    assert.equal(imageIdOf(displaySetOf([SEG, displaySet], { sopInstanceUID: '1.1.2' }), '1.1.2'), 'b');
  }
});

test('an image that is not there, or in another series, is not found', () => {
  assert.equal(displaySetOf([CT], { sopInstanceUID: '9.9' }), null);
  assert.equal(displaySetOf([CT], { sopInstanceUID: '1.1.2', seriesInstanceUID: '1.2' }), null);
});

test('a segmentation is found by its series and is never taken for an image', () => {
  assert.equal(segmentationOf([CT, SEG], '1.9'), SEG);
  assert.equal(segmentationOf([CT, SEG], '1.1'), null);
  assert.equal(displaySetOf([SEG], { sopInstanceUID: '1.1.2' }), null);
});

test('a view of an image reads and writes by row and column', () => {
  const data = new Uint8Array([1, 2, 3, 4, 5, 6]);
  const view = makeViews('uint8', 2)(data, [2, 3], [3, 1], 0);
  assert.equal(view.get(1, 2), 6);
  assert.equal(view.size, 6);
  assert.deepEqual(view.shape, [2, 3]);
  assert.equal(view.set(0, 1, 9), 9);
  assert.deepEqual([...data], [1, 9, 3, 4, 5, 6]);
  const flipped = makeViews('uint8', 2)(data, [2, 3], [3, -1], 2);
  assert.deepEqual([0, 1, 2].map(column => flipped.get(1, column)), [6, 5, 4]);
});

test('views of one and three dimensions follow their strides', () => {
  const data = Uint8Array.from({ length: 24 }, (_, index) => index);
  const volume = makeViews('uint8', 3)(data, [2, 3, 4], [12, 4, 1], 0);
  assert.equal(volume.get(1, 2, 3), 23);
  volume.set(0, 0, 1, 77);
  assert.equal(makeViews('uint8', 1)(data, [24], [1], 0).get(1), 77);
});
