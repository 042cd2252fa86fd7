// The player: a video and all that is known of it, on one time axis under one playhead.

import { Choice, placeOf } from "./choice.js";
import { readTheme, watchTheme } from "./colours.js";
import { Details } from "./details.js";
import { el } from "./dom.js";
import { Feeds } from "./feeds.js";
import { Help } from "./help.js";
import { listenToKeys } from "./keys.js";
import { fitPicture } from "./layout.js";
import { Others } from "./others.js";
import { Playback } from "./playback.js";
import { Prefetch } from "./prefetch.js";
import { Reporter } from "./reporter.js";
import { readSettings, writeSettings } from "./settings.js";
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
    this.feeds = new Feeds(this.settings.level, (name) => this.onFeed(name));
    this.playback = new Playback(this);
    this.tour = new Tour(this);
    this.transport = new Transport(this);
    this.details = new Details(this);
    this.help = new Help();
    this.others = new Others(this, () => this.onFeed("others"));
    this.prefetch = new Prefetch(() => this.root.dataset.painted === "true");
    Object.assign(this, makeTracks(this));
    this.stage = new Stage(tracksInOrder(this), this);
    this.reporter = new Reporter(() => this.moment());
    this.top = el("div", { class: "mv-top" }, this.playback.screen, this.details.root);
    this.root = el("div", { class: "mv-player", "data-testid": "player", "data-painted": "false" },
      this.top, this.transport.root, this.stage.root, this.help.root);
    parent.append(this.root);
    const onResize = () => this.relayout();
    window.addEventListener("resize", onResize);
    this.closers = [listenToKeys(this), watchTheme(this.root, () => this.retheme()),
      () => window.removeEventListener("resize", onResize)];
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

  // --- what the page gives ----------------------------------------------------------

  /** Take data from the page; nothing unchanged is fetched or drawn anew. */
  update(data, report, ask) {
    this.reporter.report = report;
    this.ask = ask;
    const newClip = data.clip.id !== this.clip?.id;
    const newVideo = newClip || data.clip.video_url !== this.clip.video_url;
    this.clip = data.clip;
    this.view = data.view;
    this.retheme();
    if (newClip) this.openClip();
    if (newVideo) this.playback.load();
    this.dropForeign(newClip, data);
    this.pointOthers(data);
    this.feeds.point(data.sources);
    this.prefetch.point((data.next ?? []).flatMap((clip) => this.addressesOf(clip)));
    this.prefetch.go();
    if (newClip || data.view.jump !== this.jump) this.follow(data.view);
    this.refresh();
    if (newClip) this.relayout();
  }

  /** What a clip will be fetched by, the quickest first. */
  addressesOf({ sources, others, poster_url, video_url }) {
    const { attention, ...simple } = sources;
    const urls = [...Object.values(simple), this.feeds.attentionAt(attention), ...others, poster_url];
    return [...urls.map((url) => ({ url, partly: false })), { url: video_url, partly: true }];
  }

  openClip() {
    this.choice.id = null;
    this.timeline.setDuration(this.clip.duration_s);
    this.playback.reset(this.timeline.duration_s);
    this.root.dataset.painted = "false";
    this.onSound();
  }

  /** Another run's detections have other names; true segments keep theirs. */
  dropForeign(newClip, { sources, others = [] }) {
    if (newClip || !this.selected || this.selected.startsWith("t")) return;
    const place = placeOf(this.selected);
    const before = place < 0 ? this.sources.segments.url : this.others.rows[place]?.source.url;
    const after = place < 0 ? sources.segments : others[place]?.segments_url;
    if (before !== after) this.tour.select(null);
  }

  /** Rows of other runs or sounds; with any, the first row bears its own name too. */
  pointOthers({ others = [], name }) {
    this.foundTrack.setTitle(others.length && name ? name : "Predicted");
    if (this.others.point(others)) this.stage.setTracks(tracksInOrder(this));
  }

  /** Go where an address sends the view. */
  follow(view) {
    this.jump = view.jump;
    this.choice.id = view.selected ?? null;
    this.toReveal = true;
    this.playback.seek(view.time_s ?? 0);
    this.timeline.follow(this.time_s);
    this.reporter.known(this.moment());
    this.revealChosen();
  }

  /** Bring the segment of an address into view once the segments are there. */
  revealChosen() {
    if (!this.toReveal || this.sources.segments.state !== "ready" || !this.others.isReady(this.selected ?? "")) return;
    this.toReveal = false;
    this.choice.update(this.sources.segments.value, this.view, this.others.values);
    const segment = this.selectedSegment;
    if (segment) this.timeline.reveal(segment.start_s, segment.end_s);
  }

  /** Choose anew what is shown; no data is fetched. */
  refresh() {
    const { segments } = this.sources;
    this.choice.update(segments.value, this.view, this.others.values);
    for (const track of [this.trueTrack, this.foundTrack]) {
      if (track.waitFor(segments, "No segments.")) track.show(this.selection, this.data, this.view);
    }
    this.others.show(this.choice);
    this.stage.overview.segments = this.selection;
    this.transport.showErrors(this.choice);
    this.transport.showDifferences(this.choice);
    this.details.show(this.data, this.selection);
    this.showLoop();
    this.stage.arrange();
  }

  showLoop() {
    this.transport.showLoop(this.playback, Boolean(this.selectedSegment));
  }

  retheme() {
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) === JSON.stringify(this.theme)) return;
    this.theme = theme;
    this.root.classList.toggle("mv-dark", theme.dark);
    this.details.show(this.data, this.selection);
    this.stage.invalidate();
  }

  onFeed(name) {
    if (name === "segments" || name === "others") {
      this.refresh();
      this.revealChosen();
      this.relayout();
    } else if (name === "signal") this.reload(this.waveTrack, this.melTrack);
    else if (name === "attention") this.reload(this.attentionTrack);
    else {
      this.reload(this.gateTrack);
      this.details.fillCard();
    }
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

  /** Ask the page for a row beside the first one, or for none. */
  askBeside() {
    this.ask?.("beside");
  }

  setAttentionLevel(level) {
    this.remember({ level });
    this.feeds.setLevel(level);
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
    this.transport.showPlaying(playing);
    this.playback.screen.classList.toggle("mv-playing", playing);
  }

  onStopped() {
    this.reporter.tell();
  }

  onSound() {
    this.transport.showSound(this.video, this.clip?.has_audio);
  }

  onPicture() {
    this.relayout();
  }

  // --- segments ---------------------------------------------------------------------

  /** Another segment is selected, or it plays in another way. */
  showChosen() {
    this.details.fillCard();
    this.showLoop();
    this.stage.invalidate();
  }

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
    this.stage.arrange();
    fitPicture(this);
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
  player.update(data, report, ask);
  return () => {
    player.close();
    players.delete(parent);
  };
}
