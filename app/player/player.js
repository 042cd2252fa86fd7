// The player: a video and all that is known of it, on one time axis under one playhead.

import { Arrival } from "./arrival.js";
import { Choice, placeOf } from "./choice.js";
import { watchTheme } from "./colours.js";
import { Details } from "./details.js";
import { el } from "./dom.js";
import { Explaining } from "./explaining.js";
import { Feeds } from "./feeds.js";
import { Help } from "./help.js";
import { listenToKeys } from "./keys.js";
import { fitPicture } from "./layout.js";
import { Others } from "./others.js";
import { Playback } from "./playback.js";
import { Prefetch } from "./prefetch.js";
import { rememberMoment } from "./reload.js";
import { Reporter } from "./reporter.js";
import { readSettings, writeSettings } from "./settings.js";
import { Showing } from "./showing.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { Tour } from "./tour.js";
import { makeTracks, tracksInOrder } from "./tracks.js";
import { Transport } from "./transport.js";

export class Player {
  /** @param {HTMLElement|ShadowRoot} parent */
  constructor(parent) {
    this.settings = readSettings();
    this.choice = new Choice();
    this.timeline = new Timeline(() => this.stage?.invalidate());
    this.feeds = new Feeds(this.settings.level, (name) => this.showing.onFeed(name));
    this.playback = new Playback(this);
    this.tour = new Tour(this);
    this.transport = new Transport(this);
    this.explaining = new Explaining(this);
    this.details = new Details(this);
    this.help = new Help();
    this.others = new Others(this, () => this.showing.onFeed("others"));
    this.prefetch = new Prefetch(() => this.root.dataset.painted === "true");
    Object.assign(this, makeTracks(this));
    this.stage = new Stage(tracksInOrder(this), this);
    this.reporter = new Reporter(() => this.moment());
    this.showing = new Showing(this);
    this.arrival = new Arrival(this);
    this.top = el("div", { class: "mv-top" }, this.playback.screen, this.details.root);
    this.root = el("div", { class: "mv-player", "data-testid": "player", "data-painted": "false" },
      this.top, this.transport.root, this.stage.root, this.help.root);
    parent.append(this.root);
    const onResize = () => this.relayout();
    window.addEventListener("resize", onResize);
    this.closers = [listenToKeys(this), watchTheme(this.root, () => this.showing.retheme()),
      () => window.removeEventListener("resize", onResize), rememberMoment(this)];
    this.root.__player = this;
  }

  // --- what there is to see, for the parts, tests and measurements ------------------

  get video() {
    return this.playback.video;
  }

  get sources() {
    return this.feeds.sources;
  }

  get trouble() {
    return this.playback.trouble;
  }

  get time_s() {
    return this.playback.time_s;
  }

  get looping() {
    return this.playback.looping;
  }

  get tracks() {
    return this.stage.tracks;
  }

  get frame() {
    return this.stage.frame;
  }

  get pointer() {
    return this.stage.pointer;
  }

  get lastDrawMs() {
    return this.stage.lastDrawMs;
  }

  get data() {
    return this.choice.data;
  }

  /** The segments shown and hidden. */
  get selection() {
    return this.choice.shown;
  }

  get selected() {
    return this.choice.id;
  }

  get selectedSegment() {
    return this.choice.segment;
  }

  /** What a detection is called: where there are several rows, by its row. */
  nameOfRow({ id }) {
    const { rows } = this.others;
    return rows.length ? (rows[placeOf(id)]?.track ?? this.foundTrack).title : "detection";
  }

  /** Where everything stands, as plain values. */
  state() {
    const { start_s, end_s } = this.timeline;
    return {
      clip_id: this.clip?.id ?? null,
      time_s: this.time_s,
      playing: this.playback.playing,
      selected: this.selected,
      start_s,
      end_s,
      tracks: this.tracks.map(({ name, folded, message }) => ({ name, folded, message })),
      painted: this.root.dataset.painted === "true",
    };
  }

  // --- what a person asks for ---------------------------------------------------------

  /** Ask the page for a row beside the first one, or for none. */
  askBeside() {
    this.ask?.("beside");
  }

  setAttentionLevel(level) {
    this.remember({ level });
    this.feeds.setLevel(level);
  }

  setAttentionHead(head) {
    this.feeds.setHead(head);
  }

  // --- time -------------------------------------------------------------------------

  seek(time_s) {
    this.playback.seek(time_s);
    this.timeline.follow(this.time_s);
    this.onTime(false);
    this.reporter.tell();
  }

  step(seconds) {
    this.seek(this.time_s + seconds);
  }

  stepFrames(count) {
    this.video.pause();
    this.seek(this.playback.frameAway(count));
  }

  changeSpeed(way) {
    this.transport.showSpeed(this.playback.changeSpeed(way));
  }

  zoom(factor) {
    this.timeline.zoomAt(this.time_s, factor);
  }

  onTime(turnPage) {
    if (turnPage) this.timeline.follow(this.time_s);
    this.stage.drawOverlay();
    this.transport.showTime(this.time_s, this.timeline.duration_s);
    this.notePainted();
  }

  onPlaying(playing) {
    this.transport.showPlaying(playing, this.playback.playable);
    this.playback.screen.classList.toggle("mv-playing", playing);
  }

  onStopped() {
    this.reporter.tell();
  }

  onSound() {
    this.transport.showSound(this.video, this.clip?.has_audio && this.playback.playable);
  }

  onPicture() {
    this.relayout();
  }

  // --- segments ---------------------------------------------------------------------

  /** Choose the kind of error to go to: a kind, or the next (1) or previous (-1) one. */
  chooseErrors(kind) {
    if (typeof kind === "number") this.choice.turnKind(kind);
    else this.choice.kind = kind;
    this.transport.showErrors(this.choice);
  }

  onPoint(time_s, segment) {
    if (segment) this.tour.select(segment);
    this.seek(time_s);
  }

  onDoublePoint(segment) {
    this.tour.select(segment);
    this.tour.zoom();
  }

  // --- arrangement ------------------------------------------------------------------

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
    if (this.stage.move(track, step)) this.remember({ order: this.tracks.map((each) => each.name) });
  }

  onArranged() {
    this.relayout();
  }

  /** Rows and picture take their heights anew. A filter alone does not: the picture must not jump. */
  relayout() {
    if (!this.stage || this.closed) return;
    fitPicture(this);
    this.stage.arrange();
  }

  onDrawn() {
    this.transport.showTime(this.time_s, this.timeline.duration_s);
    this.notePainted();
  }

  notePainted() {
    if (this.root.dataset.painted === "true") return;
    const drawn = this.stage.frame && !this.stage.scheduled;
    if (!drawn || this.feeds.waiting || this.others.waiting || !this.playback.settled) return;
    this.root.dataset.painted = "true";
    this.prefetch.go();
  }

  // --- the page ---------------------------------------------------------------------

  moment() {
    return {
      playing: this.playback.playing,
      where: { clip_id: this.clip.id, time_s: Math.round(this.time_s * 1000) / 1000, selected: this.selected },
    };
  }

  close() {
    this.closed = true;
    this.reporter.close();
    for (const close of this.closers) close();
    this.feeds.close();
    this.explaining.close();
    this.others.close();
    this.prefetch.close();
    this.stage.close();
    this.playback.close();
    this.root.remove();
  }
}

const players = new WeakMap();

/**
 * Show the player in `parent`, or update the one that is there.
 * @param {(moment: {clip_id: string, time_s: number, selected: string|null}) => void} report
 * @param {(wish: "beside") => void} [ask] for another row of detections, or for none
 * @returns {() => void} removes it
 */
export function mount(parent, data, report, ask) {
  let player = players.get(parent);
  if (!player || player.closed) {
    player = new Player(parent);
    players.set(parent, player);
  }
  player.arrival.take(data, report, ask);
  return () => {
    player.close();
    players.delete(parent);
  };
}
