// The tracks under one another: their arrangement, their drawing, what lies under the pointer.

import { el } from "./dom.js";
import { listenToPointers } from "./gestures.js";
import { Overlay } from "./overlay.js";
import { Overview, RULER_HEIGHT, Ruler } from "./ruler.js";
import { SegmentTrack } from "./segments.js";
import { GUTTER } from "./track.js";

const RIGHT = 10; // pixels right of the end of time
const LINE = 1; // between tracks
const NEAR = 3; // pixels beside a segment that still count as on it

export class Stage {
  /**
   * @param {Track[]} tracks from the top
   * @param {Object} host gives `timeline`, `theme`, `time_s`, `selectedSegment`, and hears `onPoint(time_s, segment)`,
   *   `onDoublePoint(segment)`, `onDrawn()`, `onArranged()`
   */
  constructor(tracks, host) {
    Object.assign(this, { tracks, host, pointer: null, places: [], height: 0, lastDrawMs: 0 });
    this.overview = new Overview(host);
    this.ruler = new Ruler();
    this.overlay = new Overlay();
    this.rows = el("div", { class: "mv-rows" }, ...tracks.map((track) => track.row));
    this.scene = el("div", { class: "mv-scene" }, this.ruler.row, this.rows, this.overlay.canvas);
    this.root = el("div", { class: "mv-stage", "data-testid": "stage" }, this.overview.row, this.scene);
    this.stopListening = listenToPointers(this.root, this);
    this.resizes = new ResizeObserver(() => this.measure());
    this.resizes.observe(this.root);
  }

  get timeline() {
    return this.host.timeline;
  }

  get frameWidth() {
    return Math.max(20, (this.wide ?? 0) - GUTTER - RIGHT);
  }

  /** Pixels that overview, ruler and tracks take. */
  get fullHeight() {
    const fixed = this.overview.row.offsetHeight + this.ruler.row.offsetHeight;
    return this.tracks.reduce((sum, track) => sum + track.height + LINE, fixed);
  }

  /** Pixels by which the tracks can do with less. */
  get spare() {
    return this.tracks.reduce((sum, track) => sum + (track.pictured ? track.fullHeight - track.leastHeight : 0), 0);
  }

  /** Let all tracks give up this share, 0 to 1, of what they can spare. */
  squeeze(share) {
    for (const track of this.tracks) track.squeeze = share;
  }

  // --- arrangement --------------------------------------------------------------

  /** Take the width there is; asked for while drawing, it would have the whole page laid out first. */
  measure() {
    const wide = this.root.clientWidth;
    if (wide === this.wide) return;
    this.wide = wide;
    this.host.onArranged();
  }

  /** Give every row the height its track wants. */
  arrange() {
    for (const track of this.tracks) {
      track.row.style.height = `${track.height}px`;
      track.row.classList.toggle("mv-empty", !track.drawable);
    }
    this.invalidate();
  }

  /** Show these tracks, from the top. */
  setTracks(tracks) {
    this.tracks = tracks;
    this.rows.replaceChildren(...tracks.map((track) => track.row));
    this.invalidate();
  }

  /** @returns {boolean} whether there was room to move */
  move(track, step) {
    const from = this.tracks.indexOf(track);
    const to = from + step;
    if (to < 0 || to >= this.tracks.length) return false;
    const others = this.tracks.filter((each) => each !== track);
    this.setTracks([...others.slice(0, to), track, ...others.slice(to)]);
    return true;
  }

  // --- pointer ------------------------------------------------------------------

  segmentAt(time_s, y) {
    const inScene = y - this.scene.offsetTop;
    const place = this.places.find(({ top, height }) => inScene >= top && inScene < top + height);
    if (!(place?.track instanceof SegmentTrack) || !place.track.drawable) return null;
    const tolerance_s = (NEAR / this.frameWidth) * this.timeline.span_s;
    return place.track.segmentAt(time_s, inScene - place.top, tolerance_s);
  }

  click(time_s, y) {
    this.host.onPoint(time_s, this.segmentAt(time_s, y));
  }

  doubleClick(time_s, y) {
    const segment = this.segmentAt(time_s, y);
    if (segment) this.host.onDoublePoint(segment);
  }

  hover(pointer) {
    if (!pointer && !this.pointer) return;
    this.pointer = pointer && { time_s: pointer.time_s, y: pointer.y - this.scene.offsetTop };
    this.drawOverlay();
  }

  // --- drawing ------------------------------------------------------------------

  /** Draw everything at the next frame of the screen. */
  invalidate() {
    if (this.scheduled || this.closed) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      this.draw();
    });
  }

  draw() {
    const began = performance.now();
    const { theme } = this.host;
    if (!this.wide || !theme) return;
    const width = this.frameWidth;
    const view = this.timeline;
    this.frame = { view, left: GUTTER, width, right: RIGHT, theme, x: (time_s) => GUTTER + view.toX(time_s, width) };
    this.overview.draw(this.frame);
    this.ruler.draw(this.frame);
    let top = RULER_HEIGHT;
    this.places = [];
    for (const track of this.tracks) {
      const { height } = track;
      this.places.push({ track, top, height });
      if (track.drawable) this.drawTrack(track, width, height);
      top += height + LINE;
    }
    this.height = top;
    this.drawOverlay();
    this.lastDrawMs = performance.now() - began;
    this.host.onDrawn();
  }

  drawTrack(track, width, height) {
    const { context, ratio } = track.begin(GUTTER + width + RIGHT, height);
    const clip = new Path2D();
    clip.rect(GUTTER, 0, width, height);
    track.draw(context, { ...this.frame, ratio, height, clip });
  }

  /** Only what moves: all there is to do while playing. */
  drawOverlay() {
    if (!this.frame || this.closed) return;
    this.overlay.draw(this.frame, {
      time_s: this.host.time_s,
      pointer: this.pointer,
      selected: this.host.selectedSegment,
      tracks: this.places,
      height: this.height,
    });
  }

  close() {
    this.closed = true;
    cancelAnimationFrame(this.scheduled);
    this.resizes.disconnect();
    this.stopListening();
  }
}
