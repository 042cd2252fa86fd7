// Tracks of true and of predicted segments. True: outlined, flat and pale, upright text.
// Predicted: rounded, without outline; the higher the score, the taller and the fuller.

import { blend, classColour, inkOn } from "./colours.js";
import { fittingText } from "./dom.js";
import { assignLanes } from "./matching.js";
import { Track } from "./track.js";

const LANE = 20;
const MOST = 112; // pixels for all lanes together; more lanes become thinner
const THINNEST = 5;
const PAD = 3;
const LEAST = 36; // the title, and under it what is there now
const CORNER = 10;
const PLAIN = 9; // pixels; thinner bars are drawn without rounding or corners
const SHADES = 32; // steps of fullness

const WORDS = {
  truth: {
    name: "true",
    title: "True",
    hint: "annotated segments; a corner marks those that no shown detection finds",
  },
  detections: {
    name: "predicted",
    title: "Predicted",
    hint: "detections; taller and fuller means a higher score, a corner marks an error",
  },
};

export class SegmentTrack extends Track {
  /** @param {"truth"|"detections"} kind @param {{name: string, title: string, hint: string}} words of the row */
  constructor(kind, player, words = WORDS[kind]) {
    super(words.name, words.title, words.hint, player);
    Object.assign(this, { kind, isTrue: kind === "truth", segments: [], lanes: 0, widths: new Map() });
  }

  /** Take the segments the view shows now. */
  show(selection, data, view) {
    this.segments = selection[this.kind];
    this.labels = data.labels;
    this.lanes = assignLanes(this.segments);
    const hidden = this.isTrue ? selection.hiddenTruth : selection.hiddenDetections;
    this.note.textContent = hidden ? `+${hidden}` : "";
    this.note.title = hidden ? `${hidden} not shown because of the score threshold or the classes chosen` : "";
    this.say(this.segments.length ? "" : this.explainEmpty(data, selection, view));
  }

  explainEmpty(data, selection, view) {
    if (!data[this.kind].length) {
      if (this.isTrue) return "This clip has no annotations.";
      if (data.looked) return "This run finds nothing in this clip.";
      return view.run === null ? "Detections come with a run." : "There are no detections for this clip and sound yet.";
    }
    if (!this.isTrue && selection.belowThreshold === data.detections.length) {
      const best = Math.max(...data.detections.map((segment) => segment.score));
      return `None of ${data.detections.length} detections reaches the score threshold ${view.threshold.toFixed(2)}: ` +
        `lower it (best score ${best.toFixed(2)}).`;
    }
    return `All ${data[this.kind].length} are hidden by the score threshold or the classes chosen.`;
  }

  get laneHeight() {
    return Math.max(THINNEST, Math.min(LANE, MOST / Math.max(1, this.lanes)));
  }

  get fullHeight() {
    return Math.round(Math.max(LEAST, this.laneHeight * Math.min(this.lanes, MOST / THINNEST) + 2 * PAD));
  }

  /** Edge, filling and ink of a bar: reckoned once per class and shade, as there may be thousands of bars. */
  colours(segment, theme) {
    if (this.coloursFor !== theme) Object.assign(this, { coloursFor: theme, known: new Map() });
    const shade = this.isTrue ? 0 : Math.round(SHADES * Math.min(1, Math.max(0, segment.score)));
    const key = segment.label * (SHADES + 1) + shade;
    let known = this.known.get(key);
    if (!known) {
      const edge = classColour(segment.label, theme);
      const share = this.isTrue ? (theme.dark ? 0.26 : 0.18) : 0.3 + (0.7 * shade) / SHADES;
      const fill = blend(edge, theme.background, share);
      known = { edge, fill, ink: this.isTrue ? theme.text : inkOn(fill) };
      this.known.set(key, known);
    }
    return known;
  }

  draw(context, frame) {
    const { theme, view } = frame;
    const tall = this.laneHeight;
    this.style = { font: `${tall >= 16 ? 11.5 : 10}px ${theme.font}`, withText: tall >= 11 };
    context.font = this.style.font;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.save();
    context.beginPath();
    context.rect(frame.left, 0, frame.width, frame.height);
    context.clip();
    for (const segment of this.segments) {
      if (segment.end_s < view.start_s || segment.start_s > view.end_s) continue;
      const x = frame.x(segment.start_s);
      const wide = Math.max(2, frame.x(segment.end_s) - x);
      const top = PAD + segment.lane * tall;
      if (this.isTrue) this.drawTrue(context, frame, segment, x, wide, top, tall - 2);
      else this.drawPredicted(context, frame, segment, x, wide, top, tall - 2);
    }
    context.restore();
  }

  drawTrue(context, frame, segment, x, wide, top, tall) {
    const { theme } = frame;
    const { edge, fill, ink } = this.colours(segment, theme);
    const chosen = segment.id === this.player.selected;
    context.fillStyle = fill;
    context.fillRect(x, top, wide, tall);
    context.strokeStyle = chosen ? theme.text : edge;
    context.lineWidth = chosen ? 2 : 1.5;
    context.strokeRect(x + 0.75, top + 0.75, Math.max(0.5, wide - 1.5), tall - 1.5);
    if (segment.error && wide > 6) this.drawCorner(context, theme, x + wide, top, tall);
    this.drawName(context, frame, segment, x, wide, top + tall / 2, ink);
  }

  drawPredicted(context, frame, segment, x, wide, top, tall) {
    const { theme } = frame;
    const share = Math.min(1, Math.max(0, segment.score));
    const high = tall * (0.6 + 0.4 * share);
    const { fill, ink } = this.colours(segment, theme);
    const y = top + tall - high;
    context.fillStyle = fill;
    if (tall < PLAIN) return this.drawPlain(context, theme, segment, x, wide, y, high);
    context.beginPath();
    context.roundRect(x, y, wide, high, Math.min(6, wide / 2, high / 2));
    context.fill();
    if (segment.id === this.player.selected) {
      context.strokeStyle = theme.text;
      context.lineWidth = 2;
      context.stroke();
    }
    if (segment.alone) this.drawUnderline(context, theme, x, wide, top + tall);
    if (segment.error && wide > 6) {
      // The bar is still the current path: the mark keeps inside its rounding.
      context.save();
      context.clip();
      this.drawCorner(context, theme, x + wide, y, high);
      context.restore();
    }
    this.drawName(context, frame, segment, x, wide, y + high / 2, ink);
  }

  /** The mark of a detection that the row beside has not. The bar stays the current path. */
  drawUnderline(context, theme, x, wide, bottom) {
    context.fillStyle = theme.text;
    context.fillRect(x, bottom - 0.5, wide, 2);
  }

  /** One of very many. */
  drawPlain(context, theme, segment, x, wide, y, high) {
    context.fillRect(x, y, wide, high);
    if (segment.alone) this.drawUnderline(context, theme, x, wide, y + high);
    if (segment.error && wide > 6) this.drawCorner(context, theme, x + wide, y, high);
    if (segment.id !== this.player.selected) return;
    context.strokeStyle = theme.text;
    context.lineWidth = 1.5;
    context.strokeRect(x, y, wide, high);
  }

  /** The mark of "missed" and "matches nothing": a red corner, an end where the bar is too thin for one. */
  drawCorner(context, theme, right, top, high) {
    context.fillStyle = theme.danger;
    if (high < PLAIN) return void context.fillRect(right - 2.5, top, 2.5, high);
    const size = Math.min(CORNER, high - 3);
    context.beginPath();
    context.moveTo(right - size, top);
    context.lineTo(right, top);
    context.lineTo(right, top + size);
    context.closePath();
    context.fill();
    context.strokeStyle = theme.background;
    context.lineWidth = 1.2;
    context.beginPath();
    context.moveTo(right - size - 0.6, top - 0.6);
    context.lineTo(right + 0.6, top + size + 0.6);
    context.stroke();
  }

  /** The class name inside the visible part of the bar, where it fits. */
  drawName(context, frame, segment, x, wide, middle, ink) {
    if (!this.style.withText) return;
    const from = Math.max(x, frame.left);
    const room = Math.min(x + wide, frame.left + frame.width) - from - 10 - (segment.error ? 5 : 0);
    if (room < 14) return;
    const name = this.labels[segment.label] ?? String(segment.label);
    const key = `${this.style.font}|${name}`;
    if (!this.widths.has(key)) this.widths.set(key, context.measureText(name).width);
    const text = this.widths.get(key) <= room ? name : fittingText(context, name, room);
    if (!text) return;
    context.fillStyle = ink;
    context.fillText(text, from + 5, middle + 0.5);
  }

  /** The segment under a point of the row, or null. */
  segmentAt(time_s, y, tolerance_s = 0) {
    const lane = Math.floor((y - PAD) / this.laneHeight);
    const inLane = this.segments.filter((segment) => segment.lane === lane);
    const inside = inLane.find((segment) => time_s >= segment.start_s && time_s <= segment.end_s);
    const near = (segment) => time_s >= segment.start_s - tolerance_s && time_s <= segment.end_s + tolerance_s;
    return inside ?? inLane.find(near) ?? null;
  }

  describe(segment) {
    const name = this.labels[segment.label] ?? String(segment.label);
    const times = `${segment.start_s.toFixed(2)}–${segment.end_s.toFixed(2)} s`;
    if (!this.isTrue) return `${name} · ${segment.score.toFixed(2)} · ${times}`;
    return `${name} · ${times}`;
  }

  readings(time_s, y) {
    if (!this.drawable) return [];
    const pointed = y === null ? null : this.segmentAt(time_s, y);
    if (pointed) return [{ y: PAD + (pointed.lane + 0.5) * this.laneHeight, text: this.describe(pointed) }];
    const here = this.segments.filter((segment) => time_s >= segment.start_s && time_s <= segment.end_s);
    const names = here.map((segment) => this.labels[segment.label] ?? String(segment.label));
    // In the gutter: over the bars it would hide them.
    return names.length && !this.subtitle ? [{ y: 27, text: names.join(", "), inGutter: true }] : [];
  }
}
