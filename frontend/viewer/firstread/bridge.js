// Carries out what the host page asks, and tells it what is on the screen.

import { displaySetOf, imageIdOf, segmentationOf } from './images.js';
import { drawingOf, frameOf } from './measurements.js';
import { nearest, offsetOf, placesOf } from './linking.js';
import { OWN_WINDOW, readCommand, VIEWER, WINDOWS } from './messages.js';

const LABELMAP = 'Labelmap';
// A command may arrive before the series it names. It waits long while the study is opening, and briefly
// afterwards, so that a wrong name is answered while the reader still looks.
const OPENING_PATIENCE_MS = 30_000;
const PATIENCE_MS = 5_000;
// A drawing is updated with every movement of the mouse; the host is told when it rests.
const REST_MS = 250;

function styleOf(opacity) {
  return {
    renderFill: true,
    fillAlpha: opacity,
    renderOutline: true,
    outlineWidth: 2,
    outlineOpacity: Math.min(1, opacity * 2),
  };
}

/** The imageId whose pixels a viewport shows. A stack names its current image before, and also without, having it. */
function imageOnScreen(viewport) {
  return viewport?.getCornerstoneImage ? viewport.getCornerstoneImage()?.imageId : viewport?.getCurrentImageId?.();
}

export class Bridge {
  #services;
  #commands;
  #extensions;
  #view;
  #host;
  #shown = '';
  #firstImage = false;
  #overlay = { segmentationId: null, turn: 0 };
  #jumpTurn = 0;
  #resting = new Map();
  // Viewports beside the active one that scroll with it: how far apart in mm, by their series.
  #linked = true;
  #offsets = new Map();

  constructor({ servicesManager, commandsManager, extensionManager }, view = window) {
    this.#services = servicesManager.services;
    this.#commands = commandsManager;
    this.#extensions = extensionManager;
    this.#view = view;
    this.#host = view.parent !== view ? view.parent : view.opener;
  }

  start() {
    const { document } = this.#view;
    this.#view.addEventListener('message', event => this.#receive(event));
    this.#view.addEventListener('firstread:http-error', event => this.#reportHttp(event.detail));
    // Cornerstone's events do not bubble; the capture phase sees them for every viewport, old and new.
    document.addEventListener('CORNERSTONE_STACK_NEW_IMAGE', event => this.#imageChanged(event), true);
    document.addEventListener('CORNERSTONE_VOLUME_NEW_IMAGE', event => this.#imageChanged(event), true);
    document.addEventListener('CORNERSTONE_IMAGE_RENDERED', event => this.#rendered(event), true);
    const { viewportGridService } = this.#services;
    viewportGridService.subscribe(viewportGridService.EVENTS.ACTIVE_VIEWPORT_ID_CHANGED, () => this.#tellShown());
    const { measurementService } = this.#services;
    const { MEASUREMENT_ADDED, MEASUREMENT_UPDATED, MEASUREMENT_REMOVED } = measurementService.EVENTS;
    for (const event of [MEASUREMENT_ADDED, MEASUREMENT_UPDATED]) {
      measurementService.subscribe(event, ({ measurement }) => this.#drawn(measurement.uid));
    }
    measurementService.subscribe(MEASUREMENT_REMOVED, ({ measurement }) => this.#erased(measurement?.uid ?? measurement));
    this.#send({ type: 'ready' });
  }

  #send(message) {
    this.#host?.postMessage({ source: VIEWER, ...message }, this.#view.location.origin);
  }

  #fail(message) {
    this.#send({ type: 'error', message });
  }

  #reportHttp(error) {
    const status = error?.status ?? error?.request?.status ?? 0;
    if (status === 401 || status === 403) {
      this.#fail('The images are no longer open to you: sign in again.');
    } else {
      this.#fail(status ? `The archive answered ${status} to a request for images.` : 'The archive does not answer.');
    }
  }

  #receive(event) {
    const command = readCommand(event, { origin: this.#view.location.origin, host: this.#host });
    if (!command) {
      return;
    }
    if (command.type === 'malformed') {
      this.#fail('The viewer does not understand what the page asked.');
      return;
    }
    const actions = { jump: c => this.#jump(c), overlay: c => this.#setOverlay(c), window: c => this.#setWindow(c), link: c => this.#link(c) };
    actions[command.type](command).catch(error => this.#fail(error?.message ?? String(error)));
  }

  // What is on the screen ------------------------------------------------------------------------------

  get #viewportId() {
    return this.#services.viewportGridService.getActiveViewportId();
  }

  get #viewport() {
    const id = this.#viewportId;
    return id ? this.#services.cornerstoneViewportService.getCornerstoneViewport(id) : null;
  }

  #imageChanged(event) {
    if (event.detail?.viewportId === this.#viewportId) {
      this.#tellShown();
      this.#scrollOthers();
    }
  }

  #rendered(event) {
    if (event.detail?.viewportId !== this.#viewportId || !this.#tellShown() || this.#firstImage) {
      return;
    }
    this.#firstImage = true;
    this.#send({ type: 'firstImage', ms: Math.round(this.#view.performance.now()) });
  }

  /** Tell the host which image the active viewport shows, once per change; return whether there is one. */
  #tellShown() {
    const imageId = imageOnScreen(this.#viewport);
    const image = imageId && this.#view.cornerstone.metaData.get('instance', imageId);
    if (!image?.SOPInstanceUID) {
      return false;
    }
    if (this.#shown !== imageId) {
      this.#shown = imageId;
      this.#send({
        type: 'shown',
        studyInstanceUID: image.StudyInstanceUID,
        seriesInstanceUID: image.SeriesInstanceUID,
        sopInstanceUID: image.SOPInstanceUID,
        frame: frameOf(imageId),
      });
    }
    return true;
  }

  // Drawings -------------------------------------------------------------------------------------------

  #drawn(uid) {
    this.#view.clearTimeout(this.#resting.get(uid));
    this.#resting.set(uid, this.#view.setTimeout(() => this.#tellDrawing(uid), REST_MS));
  }

  #erased(uid) {
    this.#view.clearTimeout(this.#resting.get(uid));
    this.#resting.delete(uid);
    this.#send({ type: 'erased', uid: String(uid) });
  }

  #tellDrawing(uid) {
    this.#resting.delete(uid);
    const { cornerstone, cornerstoneTools } = this.#view;
    const drawing = drawingOf(cornerstoneTools.annotation.state.getAnnotation(uid), {
      toImage: (imageId, point) => cornerstone.utilities.worldToImageCoords(imageId, point),
      instanceOf: imageId => cornerstone.metaData.get('instance', imageId),
    });
    if (drawing) {
      this.#send({ type: 'drawing', ...drawing });
    }
  }

  // Jump -----------------------------------------------------------------------------------------------

  async #jump(target) {
    const turn = ++this.#jumpTurn;
    const displaySet = await this.#until(() => displaySetOf(this.#displaySets(), target));
    if (turn !== this.#jumpTurn) {
      return; // A later jump has been asked for while this one waited.
    }
    if (!displaySet) {
      throw new Error(`Image ${target.sopInstanceUID} is not in this study.`);
    }
    const imageId = imageIdOf(displaySet, target.sopInstanceUID);
    await this.#until(() => this.#viewport);
    // Beside a prior, the image belongs where its series already is, whichever side is active.
    const [holder] = this.#viewportsWith(displaySet.displaySetInstanceUID);
    const viewportId = holder ?? this.#viewportId;
    if (!holder) {
      this.#show(displaySet.displaySetInstanceUID, viewportId);
    }
    this.#services.viewportGridService.setActiveViewportId(viewportId);
    const viewport = await this.#until(() => this.#viewportThatHas(imageId, viewportId));
    if (!viewport) {
      throw new Error(`Image ${target.sopInstanceUID} could not be opened.`);
    }
    if (turn !== this.#jumpTurn) {
      return;
    }
    // An image that is already shown changes nothing: the host still gets its answer.
    this.#shown = '';
    if (typeof viewport.setImageIdIndex === 'function') {
      await viewport.setImageIdIndex(viewport.getImageIds().indexOf(imageId));
    } else {
      viewport.setViewReference({ referencedImageId: imageId, FrameOfReferenceUID: viewport.getFrameOfReferenceUID() });
    }
    viewport.render();
    this.#tellShown();
  }

  #viewportThatHas(imageId, viewportId) {
    const viewport = this.#services.cornerstoneViewportService.getCornerstoneViewport(viewportId);
    const isActive = this.#viewportId === viewportId;
    return isActive && viewport?.getImageIds?.().includes(imageId) ? viewport : null;
  }

  #show(displaySetInstanceUID, viewportId) {
    this.#commands.run('setDisplaySetsForViewports', {
      viewportsToUpdate: [{ viewportId, displaySetInstanceUIDs: [displaySetInstanceUID] }],
    });
  }

  #displaySets() {
    return this.#services.displaySetService.getActiveDisplaySets() ?? [];
  }

  // Window ---------------------------------------------------------------------------------------------

  async #setWindow({ preset }) {
    await this.#until(() => this.#viewport?.getCurrentImageId?.());
    for (const { viewportId, displaySetInstanceUIDs } of this.#services.viewportGridService.getState().viewports.values()) {
      const viewport = this.#services.cornerstoneViewportService.getCornerstoneViewport(viewportId);
      if (preset === OWN_WINDOW) {
        this.#ownWindow(viewport);
        continue;
      }
      if (this.#modalityOf(viewport) !== 'CT') {
        continue; // Hounsfield units mean nothing to other modalities.
      }
      this.#commands.run('setViewportWindowLevel', {
        viewportId,
        displaySetInstanceUID: displaySetInstanceUIDs?.[0],
        ...WINDOWS[preset],
      });
    }
  }

  #modalityOf(viewport) {
    const imageId = viewport?.getCurrentImageId?.();
    return imageId ? this.#view.cornerstone.metaData.get('instance', imageId)?.Modality : undefined;
  }

  #ownWindow(viewport) {
    if (viewport?.getCurrentImageId?.()) {
      viewport.resetProperties?.();
      viewport.render();
    }
  }

  // Current beside prior: scrolled by patient position ------------------------------------------------

  async #link({ on }) {
    this.#linked = on;
    // Linked anew, what stands side by side now stays side by side.
    this.#offsets.clear();
    if (on) {
      this.#pairs().forEach(pair => this.#offsets.set(pair.key, offsetOf(pair.from, pair.to, pair.fromIndex, pair.toIndex)));
    }
  }

  /** The active stack against each other one that shows another study along the same normal. */
  #pairs() {
    const active = this.#viewport;
    const places = viewport => placesOf(viewport.getImageIds(), id => this.#view.cornerstone.metaData.get('imagePlaneModule', id));
    if (!active?.getImageIds || !active.setImageIdIndex) {
      return [];
    }
    const from = places(active);
    const { viewports } = this.#services.viewportGridService.getState();
    return [...viewports.keys()]
      .filter(viewportId => viewportId !== this.#viewportId)
      .map(viewportId => this.#services.cornerstoneViewportService.getCornerstoneViewport(viewportId))
      .filter(viewport => viewport?.setImageIdIndex && viewport.getImageIds().length > 1)
      .map(viewport => ({
        viewport,
        key: `${active.getImageIds()[0]} ${viewport.getImageIds()[0]}`,
        from,
        to: places(viewport),
        fromIndex: active.getCurrentImageIdIndex(),
        toIndex: viewport.getCurrentImageIdIndex(),
      }))
      .filter(pair => pair.from && pair.to);
  }

  #scrollOthers() {
    if (!this.#linked) {
      return;
    }
    for (const pair of this.#pairs()) {
      if (!this.#offsets.has(pair.key)) {
        this.#offsets.set(pair.key, offsetOf(pair.from, pair.to));
      }
      const index = nearest(pair.from, pair.to, pair.fromIndex, this.#offsets.get(pair.key));
      if (index !== null && index !== pair.toIndex) {
        pair.viewport.setImageIdIndex(index);
      }
    }
  }

  // Overlay --------------------------------------------------------------------------------------------

  async #setOverlay({ on, segSeriesInstanceUID, opacity }) {
    const turn = ++this.#overlay.turn;
    if (!on) {
      this.#removeOverlay();
      return;
    }
    const displaySet = await this.#findSegmentation(segSeriesInstanceUID);
    if (!displaySet) {
      throw new Error('The outline of this finding is not in the archive.');
    }
    const imagesShown = () => this.#viewportsWith(displaySet.referencedDisplaySetInstanceUID);
    if (!imagesShown().length) {
      this.#show(displaySet.referencedDisplaySetInstanceUID, this.#viewportId);
      await this.#until(() => imagesShown().length && this.#viewport?.getCurrentImageId?.());
    }
    await displaySet.load({ headers: {} });
    if (turn !== this.#overlay.turn) {
      return; // Switched off, or to another outline, while this one was loading.
    }
    const segmentationId = displaySet.displaySetInstanceUID;
    if (this.#overlay.segmentationId !== segmentationId) {
      this.#removeOverlay();
    }
    this.#overlay.segmentationId = segmentationId;
    const { segmentationService, cornerstoneViewportService } = this.#services;
    for (const viewportId of imagesShown()) {
      await segmentationService.addSegmentationRepresentation(viewportId, { segmentationId, type: LABELMAP });
      segmentationService.setStyle({ viewportId, segmentationId, type: LABELMAP }, styleOf(opacity));
      cornerstoneViewportService.getCornerstoneViewport(viewportId)?.render();
    }
    if (turn !== this.#overlay.turn) {
      this.#removeOverlay();
    }
  }

  #viewportsWith(displaySetInstanceUID) {
    const { viewports } = this.#services.viewportGridService.getState();
    return [...viewports.values()]
      .filter(viewport => viewport.displaySetInstanceUIDs?.includes(displaySetInstanceUID))
      .map(viewport => viewport.viewportId);
  }

  #removeOverlay() {
    const { segmentationId } = this.#overlay;
    if (segmentationId) {
      const { segmentationService, viewportGridService } = this.#services;
      for (const viewportId of viewportGridService.getState().viewports.keys()) {
        segmentationService.removeRepresentationsFromViewport(viewportId, { segmentationId });
      }
      this.#overlay.segmentationId = null;
      this.#viewport?.render();
    }
  }

  /** The SEG of a series; a result that came after the study was opened is asked for now. */
  async #findSegmentation(seriesInstanceUID) {
    await this.#until(() => this.#viewport?.getCurrentImageId?.());
    const known = segmentationOf(this.#displaySets(), seriesInstanceUID);
    if (known) {
      return known;
    }
    const [dataSource] = this.#extensions.getActiveDataSource();
    const imageId = this.#viewport.getCurrentImageId();
    const { StudyInstanceUID } = this.#view.cornerstone.metaData.get('instance', imageId);
    // OHIF keeps a study's answer under "<data source>:<study>" and forgets it by that same key.
    const key = `${dataSource.getConfig().name}:${StudyInstanceUID}`;
    dataSource.deleteStudyMetadataPromise(key);
    await dataSource.retrieve.series.metadata({ StudyInstanceUID, filters: { seriesInstanceUID: [seriesInstanceUID] } });
    dataSource.deleteStudyMetadataPromise(key);
    return this.#until(() => segmentationOf(this.#displaySets(), seriesInstanceUID));
  }

  // ----------------------------------------------------------------------------------------------------

  /** Wait until ``look`` answers something; null when it does not within the time. */
  async #until(look) {
    const end = this.#view.performance.now() + (this.#firstImage ? PATIENCE_MS : OPENING_PATIENCE_MS);
    for (;;) {
      const found = look();
      if (found) {
        return found;
      }
      if (this.#view.performance.now() > end) {
        return null;
      }
      await new Promise(resolve => this.#view.setTimeout(resolve, 50));
    }
  }
}
