// The player: a video and all that is known of it, on one time axis under one playhead.

import { AttentionTrack } from "./attention.js";
import { Details } from "./details.js";
import { button, el, icon } from "./dom.js";
import { readTheme } from "./colours.js";
import { GateTrack } from "./gates.js";
import { listenToPointers } from "./gestures.js";
import { Help, listenToKeys } from "./keys.js";
import { select } from "./matching.js";
import { Overlay } from "./overlay.js";
import { Overview, Ruler } from "./ruler.js";
import { SegmentTrack } from "./segments.js";
import { arranged, readSettings, writeSettings } from "./settings.js";
import { Source } from "./sources.js";
import { SpectrogramTrack } from "./spectrogram.js";
import { Timeline } from "./timeline.js";
import { GUTTER } from "./track.js";
import { SPEEDS, Transport } from "./transport.js";
import { WaveformTrack } from "./waveform.js";

const RIGHT = 10; // pixels right of the end of time
const REPORT_MS = 250;
const EMPTY = { labels: [], truth: [], detections: [] };

export class Player {
  /** @param {HTMLElement|ShadowRoot} parent */
  constructor(parent) {
    this.settings = readSettings();
    this.view = {};
    this.selected = null;
    this.pointer = null;
    this.range = null;
    this.looping = false;
    this.selection = select(EMPTY, this.view);
    this.timeline = new Timeline(() => this.invalidate());
    this.sources = {
      segments: new Source("segments", "json", () => this.onSegments()),
      signal: new Source("signal", "container", () => this.reload(this.waveTrack, this.melTrack)),
      gates: new Source("gates", "container", () => this.onGates()),
      attention: new Source("attention", "container", () => this.reload(this.attentionTrack)),
    };
    this.makeTracks();
    this.build(parent);
    this.closers = [listenToPointers(this.stage, this), listenToKeys(this), this.listenToVideo()];
    this.resizes = new ResizeObserver(() => this.onResize());
    this.resizes.observe(this.stage);
    this.root.__player = this;
  }

  makeTracks() {
    this.trueTrack = new SegmentTrack("truth", this);
    this.foundTrack = new SegmentTrack("detections", this);
    this.gateTrack = new GateTrack(this);
    this.attentionTrack = new AttentionTrack(this);
    this.melTrack = new SpectrogramTrack(this);
    this.waveTrack = new WaveformTrack(this);
    const usual = [this.trueTrack, this.foundTrack, this.gateTrack, this.attentionTrack, this.melTrack, this.waveTrack];
    this.tracks = arranged(usual, this.settings.order);
    for (const track of this.tracks) track.setFolded(this.settings.folded.includes(track.name));
  }

  build(parent) {
    this.video = el("video", { class: "mv-video", playsinline: true, preload: "auto", "data-testid": "video" });
    this.video.volume = this.settings.volume;
    this.video.muted = this.settings.muted;
    this.trouble = el("div", { class: "mv-trouble", role: "alert", hidden: true }, el("span", {}),
      button("retry-video", "Load the video again", () => this.loadVideo(), "Retry"));
    this.transport = new Transport(this);
    this.details = new Details(this);
    this.overview = new Overview(this);
    this.ruler = new Ruler();
    this.overlay = new Overlay();
    this.help = new Help();
    this.rows = el("div", { class: "mv-rows" }, ...this.tracks.map((track) => track.row));
    this.scene = el("div", { class: "mv-scene" }, this.ruler.row, this.rows, this.overlay.canvas);
    this.stage = el("div", { class: "mv-stage", "data-testid": "stage" }, this.overview.row, this.scene);
    const big = button("big-play", "Play (Space)", () => this.togglePlay(), icon("play", 34));
    this.screen = el("div", { class: "mv-screen" }, this.video, big, this.trouble);
    this.root = el("div", { class: "mv-player", "data-testid": "player", "data-painted": "false" },
      el("div", { class: "mv-top" }, this.screen, this.details.root), this.transport.root, this.stage, this.help.root);
    parent.append(this.root);
  }

  /** Take data from the page; nothing unchanged is fetched or drawn anew. */
  update(data, report) {
    this.report = report;
    this.theme = readTheme(this.root);
    this.root.classList.toggle("mv-dark", this.theme.dark);
    const first = !this.clip;
    const newClip = data.clip.id !== this.clip?.id;
    const newVideo = data.clip.video_url !== this.clip?.video_url;
    this.clip = data.clip;
    this.view = data.view;
    if (newClip) this.openClip(first);
    if (newVideo) this.loadVideo();
    const { attention, ...others } = data.sources;
    for (const [name, url] of Object.entries(others)) this.sources[name].point(url);
    this.attentionUrl = attention;
    this.sources.attention.point(this.levelUrl());
    if (newClip || data.view.jump !== this.jump) this.follow(data.view);
    this.refresh();
  }

  openClip(first) {
    this.selected = null;
    this.range = null;
    this.timeline.setDuration(this.clip.duration_s);
    this.root.dataset.painted = "false";
    this.transport.showSound(this.video, this.clip.has_audio);
    this.details.root.dataset.clip = this.clip.id;
    if (!first) for (const track of this.tracks) track.canvas.getContext("2d").clearRect(0, 0, 1e5, 1e5);
  }

  /** Go where an address sends the view. */
  follow(view) {
    this.jump = view.jump;
    this.selected = view.selected ?? null;
    this.pending = true;
    this.seek(view.time_s ?? 0, { quiet: true });
  }

  loadVideo() {
    this.trouble.hidden = true;
    this.screen.classList.toggle("mv-no-video", !this.clip.video_url);
    this.video.poster = this.clip.poster_url ?? "";
    this.video.src = this.clip.video_url ?? "";
    this.video.load();
    if (this.wanted_s) this.video.currentTime = this.wanted_s;
  }

  listenToVideo() {
    const { video } = this;
    const events = {
      play: () => this.onPlayState(),
      pause: () => this.onPlayState(),
      ended: () => this.onPlayState(),
      volumechange: () => this.transport.showSound(video, this.clip?.has_audio),
      loadedmetadata: () => this.wanted_s > 0 && (video.currentTime = this.wanted_s),
      loadeddata: () => this.invalidate(),
      seeked: () => this.drawOverlay(),
      click: () => this.togglePlay(),
      error: () => this.onVideoError(),
    };
    for (const [name, listener] of Object.entries(events)) video.addEventListener(name, listener);
    const onFrame = (_now, frame) => {
      if (this.closed) return;
      this.onFrame(frame.mediaTime);
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    return () => {
      for (const [name, listener] of Object.entries(events)) video.removeEventListener(name, listener);
      video.pause();
      video.removeAttribute("src");
      video.load();
    };
  }

  onFrame(time_s) {
    if (this.video.seeking) return;
    this.wanted_s = null;
    this.shown_s = time_s;
    const half_s = 0.5 / (this.clip?.frames_per_second || 30);
    if (this.range && !this.video.paused && time_s + half_s >= this.range.end_s) {
      if (this.looping) this.video.currentTime = this.range.start_s;
      else {
        this.range = null;
        this.video.pause();
      }
    }
    if (!this.video.paused) this.timeline.follow(time_s);
    this.drawOverlay();
  }

  onPlayState() {
    const playing = !this.video.paused && !this.video.ended;
    this.transport.showPlaying(playing);
    this.screen.classList.toggle("mv-playing", playing);
    if (!playing) this.tell();
  }

  onVideoError() {
    if (!this.clip?.video_url || !this.video.error) return;
    const words = this.video.error.code === 4 ? "is not there or has a format this browser cannot play" : "could not be loaded";
    this.trouble.firstChild.textContent = `The video ${words}.`;
    this.trouble.hidden = false;
    this.invalidate();
  }

  // --- time ---------------------------------------------------------------------

  get time_s() {
    return this.wanted_s ?? this.shown_s ?? 0;
  }

  /** @param {{quiet?: boolean}} options quiet: the page already knows */
  seek(time_s, { quiet = false } = {}) {
    const last_s = Math.max(0, this.timeline.duration_s - 0.001);
    this.wanted_s = Math.min(last_s, Math.max(0, time_s));
    if (this.range && (this.wanted_s < this.range.start_s - 0.01 || this.wanted_s > this.range.end_s)) this.range = null;
    if (this.video.readyState > 0) this.video.currentTime = this.wanted_s;
    this.timeline.follow(this.wanted_s);
    this.drawOverlay();
    if (!quiet) this.tell();
  }

  step(seconds) {
    this.seek(this.time_s + seconds);
  }

  stepFrames(count) {
    this.video.pause();
    const rate = this.clip.frames_per_second || 30;
    // Into the middle of a frame, so that rounding never shows its neighbour.
    this.seek((Math.floor(this.time_s * rate + 1e-3) + count + 0.5) / rate);
  }

  togglePlay() {
    if (!this.video.paused) return void this.video.pause();
    if (this.video.ended) this.seek(0);
    this.video.play().catch(() => this.onVideoError());
  }

  setSpeed(speed) {
    this.video.playbackRate = speed;
    this.transport.speed.value = String(speed);
  }

  changeSpeed(way) {
    const place = SPEEDS.indexOf(this.video.playbackRate);
    this.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, (place < 0 ? 4 : place) + way))]);
  }

  toggleMute() {
    this.video.muted = !this.video.muted;
    this.remember({ muted: this.video.muted });
  }

  setVolume(volume) {
    this.video.muted = volume === 0;
    this.video.volume = volume;
    this.remember({ volume, muted: volume === 0 });
  }

  zoom(factor) {
    this.timeline.zoomAt(this.time_s, factor);
  }

  // --- segments -------------------------------------------------------------------

  get data() {
    return this.sources.segments.value ?? EMPTY;
  }

  get selectedSegment() {
    if (!this.selected) return null;
    const where = this.selected.startsWith("t") ? this.data.truth : this.data.detections;
    return where.find((segment) => segment.id === this.selected) ?? null;
  }

  select(segment) {
    const id = segment?.id ?? null;
    if (id === this.selected) return;
    this.selected = id;
    this.range = this.looping && segment ? segment : null;
    if (!segment) this.looping = false;
    this.details.fillCard();
    this.invalidate();
    this.tell();
  }

  /** Select a segment and bring playhead and window to it. */
  choose(segment) {
    this.select(segment);
    this.timeline.reveal(segment.start_s, segment.end_s);
    this.seek(segment.start_s);
  }

  playSelected() {
    const segment = this.selectedSegment;
    if (!segment) return;
    this.seek(segment.start_s);
    this.range = segment;
    this.video.play().catch(() => this.onVideoError());
  }

  toggleLoop() {
    if (!this.selectedSegment) return;
    this.looping = !this.looping;
    this.range = this.looping ? this.selectedSegment : null;
    if (this.looping) this.playSelected();
    this.details.fillCard();
  }

  zoomToSelected() {
    const segment = this.selectedSegment;
    if (!segment) return;
    const room_s = Math.max(0.5, 0.5 * (segment.end_s - segment.start_s));
    this.timeline.show(segment.start_s - room_s, segment.end_s + room_s);
  }

  /** Next (1) or previous (-1) of `detections`, `truth` or `errors`, from the selection or the playhead. */
  go(kind, way) {
    const { truth, detections } = this.selection;
    const pool = kind === "errors" ? this.errors : kind === "truth" ? truth : detections;
    if (!pool.length) return;
    const ordered = [...pool].sort((a, b) => a.start_s - b.start_s || a.end_s - b.end_s);
    const place = ordered.findIndex((segment) => segment.id === this.selected);
    if (place >= 0) return void this.choose(ordered[(place + way + ordered.length) % ordered.length]);
    const from_s = this.selectedSegment?.start_s ?? this.time_s;
    const next = way > 0 ? ordered.find((s) => s.start_s > from_s + 1e-6) : ordered.findLast((s) => s.start_s < from_s - 1e-6);
    this.choose(next ?? ordered[way > 0 ? 0 : ordered.length - 1]);
  }

  get errors() {
    if (!this.data.truth.length || !this.data.detections.length) return [];
    return [...this.selection.truth, ...this.selection.detections].filter((segment) => segment.error);
  }

  // --- what the page changes --------------------------------------------------------

  /** Choose anew what is shown; no data is fetched. */
  refresh() {
    const { segments } = this.sources;
    this.selection = select(this.data, this.view);
    for (const track of [this.trueTrack, this.foundTrack]) {
      if (track.waitFor(segments, "No segments.")) track.show(this.selection, this.data, this.view);
    }
    this.overview.segments = this.selection;
    this.transport.showErrors(this.errors.length, this.data.truth.length > 0 && this.data.detections.length > 0);
    this.details.show(this.data, this.selection);
    this.relayout();
  }

  onSegments() {
    this.refresh();
    if (this.pending && this.sources.segments.state === "ready") {
      this.pending = false;
      const segment = this.selectedSegment;
      if (segment) this.timeline.reveal(segment.start_s, segment.end_s);
    }
  }

  onGates() {
    this.reload(this.gateTrack);
    this.details.fillCard();
  }

  reload(...tracks) {
    for (const track of tracks) {
      try {
        track.load(this.sources);
      } catch (error) {
        track.say(`${track.title} could not be read: ${error.message}.`, this.sources[track.name] ?? this.sources.signal);
      }
    }
    this.relayout();
  }

  levelUrl() {
    return this.attentionUrl ? `${this.attentionUrl}&level=${this.settings.level}` : null;
  }

  setAttentionLevel(level) {
    this.remember({ level });
    this.sources.attention.point(this.levelUrl());
  }

  // --- arrangement --------------------------------------------------------------------

  remember(changes) {
    Object.assign(this.settings, changes);
    writeSettings(this.settings);
  }

  toggleFold(track) {
    track.setFolded(!track.folded);
    this.remember({ folded: this.tracks.filter((each) => each.folded).map((each) => each.name) });
    this.relayout();
  }

  moveTrack(track, step) {
    const from = this.tracks.indexOf(track);
    const to = from + step;
    if (to < 0 || to >= this.tracks.length) return;
    this.tracks.splice(from, 1);
    this.tracks.splice(to, 0, track);
    this.rows.replaceChildren(...this.tracks.map((each) => each.row));
    this.remember({ order: this.tracks.map((each) => each.name) });
    this.invalidate();
  }

  onResize() {
    if (this.stage.clientWidth !== this.wide) this.relayout();
  }

  relayout() {
    for (const track of this.tracks ?? []) {
      track.row.style.height = `${track.height}px`;
      track.row.classList.toggle("mv-empty", !track.drawable);
    }
    this.invalidate();
  }

  // --- pointer ------------------------------------------------------------------------

  get frameWidth() {
    return Math.max(20, (this.wide ?? 0) - GUTTER - RIGHT);
  }

  trackAt(y) {
    const inScene = y - this.scene.offsetTop;
    return this.places.find(({ top, height }) => inScene >= top && inScene < top + height);
  }

  segmentAt(time_s, y) {
    const place = this.trackAt(y);
    if (!(place?.track instanceof SegmentTrack) || !place.track.drawable) return null;
    const tolerance_s = (3 / this.frameWidth) * this.timeline.span_s;
    return place.track.segmentAt(time_s, y - this.scene.offsetTop - place.top, tolerance_s);
  }

  click(time_s, y) {
    const segment = this.segmentAt(time_s, y);
    if (segment) this.select(segment);
    this.seek(time_s);
  }

  doubleClick(time_s, y) {
    if (!this.segmentAt(time_s, y)) return;
    this.zoomToSelected();
  }

  hover(pointer) {
    if (!pointer && !this.pointer) return;
    this.pointer = pointer && { time_s: pointer.time_s, y: pointer.y - this.scene.offsetTop };
    this.drawOverlay();
  }

  // --- drawing ------------------------------------------------------------------------

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
    this.wide = this.stage.clientWidth;
    if (!this.wide || !this.theme) return;
    const width = this.frameWidth;
    const view = this.timeline;
    this.frame = { view, left: GUTTER, width, right: RIGHT, theme: this.theme, x: (time_s) => GUTTER + view.toX(time_s, width) };
    this.overview.draw(this.frame);
    this.ruler.draw(this.frame);
    let top = this.ruler.row.offsetHeight;
    this.places = [];
    for (const track of this.tracks) {
      const { height } = track;
      this.places.push({ track, top, height });
      if (track.drawable) {
        const { context, ratio } = track.begin(GUTTER + width + RIGHT, height);
        const clip = new Path2D();
        clip.rect(GUTTER, 0, width, height);
        track.draw(context, { ...this.frame, ratio, height, clip });
      }
      top += height + 1;
    }
    this.height = top;
    this.drawOverlay();
    this.lastDrawMs = performance.now() - began;
    this.notePainted();
  }

  drawOverlay() {
    if (!this.frame) return;
    this.overlay.draw(this.frame, {
      time_s: this.time_s,
      pointer: this.pointer,
      selected: this.selectedSegment,
      tracks: this.places,
      height: this.height,
    });
    this.transport.showTime(this.time_s, this.timeline.duration_s);
  }

  notePainted() {
    const waiting = Object.values(this.sources).some((source) => source.state === "loading");
    const pictured = this.video.readyState >= 2 || !this.trouble.hidden || !this.clip.video_url;
    if (!waiting && pictured) this.root.dataset.painted = "true";
  }

  // --- telling the page ---------------------------------------------------------------

  /** Tell the page where we are; while playing only another selection, or it would rerun all the time. */
  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const playing = !this.video.paused && !this.video.ended;
      if (this.closed || (playing && this.selected === (this.told?.selected ?? null))) return;
      const moment = { clip_id: this.clip.id, time_s: Math.round(this.time_s * 1000) / 1000, selected: this.selected };
      if (JSON.stringify(moment) === JSON.stringify(this.told)) return;
      this.told = moment;
      this.report?.(moment);
    }, REPORT_MS);
  }

  close() {
    this.closed = true;
    clearTimeout(this.telling);
    cancelAnimationFrame(this.scheduled);
    this.resizes.disconnect();
    for (const close of this.closers) close();
    for (const source of Object.values(this.sources)) source.close();
    this.root.remove();
  }
}

const players = new WeakMap();

/**
 * Show the player in `parent`, or update the one that is there.
 * @param {(moment: {clip_id: string, time_s: number, selected: string|null}) => void} report
 * @returns {() => void} removes it
 */
export function mount(parent, data, report) {
  let player = players.get(parent);
  if (!player || player.closed) {
    player = new Player(parent);
    players.set(parent, player);
  }
  player.update(data, report);
  return () => {
    player.close();
    players.delete(parent);
  };
}
