// What speaks for the explained detection and what against it, moment by moment: sound above, sight
// below, on one scale. For: filled, upwards. Against: hatched, downwards. Dotted: the second opinion.

import { el } from "./dom.js";
import { formatStep } from "./timeline.js";
import { Track, gutterLabel } from "./track.js";

const ROW = 42;
const LEAST_ROW = 30;
const LEAST = 7; // pixels on either side of zero
const ROWS = [["audio", "sound"], ["vision", "sight"]];
const COLOURS = { audio: ["#2f7fbf", "#6fb3e8"], vision: ["#b45309", "#f0ae1f"] };
const UNITS = { logit: "logit", contrast: "logit", probability: "probability", start: "s of start", end: "s of end" };

/** A number with its sign and three digits that matter. */
export const signed = (value) => {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4;
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${size.toFixed(digits)}`;
};

/** Thin slanted lines in a colour. */
function hatching(context, colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 4;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.1;
  for (const shift of [-4, 0, 4]) {
    pen.beginPath();
    pen.moveTo(shift, 4);
    pen.lineTo(shift + 4, 0);
    pen.stroke();
  }
  return context.createPattern(tile, "repeat");
}

export class AttributionTrack extends Track {
  constructor(player) {
    super("attribution", "Attribution", "what speaks for the explained detection (filled, up) and what against it (hatched, down)", player);
    this.legend = el("div", { class: "mv-attribution-legend" },
      el("span", { class: "mv-for" }), "for", el("span", { class: "mv-against" }), "against");
    this.scale = el("span", {});
    this.extras.append(this.legend, this.scale,
      el("span", { title: "The dotted line is the second opinion: how the score falls when a window is occluded" }, "··· occluded"));
    this.found = null;
  }

  /** Whether there is anything to show; without, the row is not there at all. */
  get present() {
    return Boolean(this.found);
  }

  get fullHeight() {
    return 2 * ROW + 4;
  }

  get leastHeight() {
    return 2 * LEAST_ROW + 4;
  }

  /** Pixels of one row of bars. */
  get rowHeight() {
    return (this.openHeight - 4) / 2;
  }

  /** Show an explanation, or none. @param {{arrays: Object, meta: Object}|null} value */
  show(value) {
    this.found = null;
    if (!value) return;
    const { arrays, meta } = value;
    const values = { audio: arrays.audio.values, vision: arrays.vision.values };
    const edges = arrays.edges_s.values;
    const falls = Object.fromEntries(ROWS.map(([name]) => [name, Float64Array.from(arrays[`${name}_occlusion`].values,
      (fall, window) => (fall * meta.step_s) / (edges[window + 1] - edges[window]))]));
    let [low, high] = [0, 1e-9];
    for (const list of Object.values(values)) {
      for (const each of list) [low, high] = [Math.min(low, each), Math.max(high, each)];
    }
    const unit = UNITS[meta.quantity] ?? meta.quantity;
    this.found = { values, falls, edges, meta, low, high, unit };
    this.scale.textContent = `${unit} per ${formatStep(meta.step_s)}`;
    this.scale.title = `Bars are in units of the ${meta.quantity}; all of them together add up to what sets the clip's score apart from the baseline's`;
  }

  /** Pixels from the top of a row of bars down to zero. */
  get zero() {
    const { low, high } = this.found;
    const room = this.rowHeight - 4;
    return Math.min(room - LEAST, Math.max(LEAST, (room * high) / (high - low)));
  }

  /** Pixels of one unit, the same up and down and in both rows. */
  get unitPixels() {
    const { low, high } = this.found;
    return Math.min(this.zero / high, low < 0 ? (this.rowHeight - 4 - this.zero) / -low : Infinity);
  }

  draw(context, frame) {
    ROWS.forEach(([name, words], row) => {
      const top = 3 + row * (this.rowHeight + 1);
      const base = top + this.zero;
      const colour = COLOURS[name][frame.theme.dark ? 1 : 0];
      context.save();
      context.clip(frame.clip);
      this.bars(context, frame, this.found.values[name], base, colour);
      this.secondOpinion(context, frame, this.found.falls[name], top, base);
      context.fillStyle = frame.theme.muted;
      context.fillRect(frame.left, Math.round(base) - 0.5, frame.width, 1);
      context.restore();
      this.labels(context, frame, words, top, base);
    });
  }

  labels(context, frame, words, top, base) {
    const { low, high } = this.found;
    gutterLabel(context, frame, `${words} 0`, base);
    if (base - top > 14) gutterLabel(context, frame, signed(high), top + 4);
    const below = base - low * this.unitPixels;
    if (below - base > 14) gutterLabel(context, frame, signed(low), below - 4);
  }

  /** One bar a step; where steps are finer than pixels, one a pixel from the least to the most of its steps. */
  bars(context, frame, values, base, colour) {
    const { first_s, step_s } = this.found.meta;
    const pixels = this.unitPixels;
    const up = new Path2D();
    const down = new Path2D();
    const put = (from, to, most, least) => {
      const wide = Math.max(1, to - from - (to - from > 3 ? 1 : 0));
      if (most > 0) up.rect(from, base - most * pixels, wide, most * pixels);
      if (least < 0) down.rect(from, base, wide, -least * pixels);
    };
    const edge = (step) => frame.x(first_s + (step - 0.5) * step_s);
    const begin = Math.max(0, Math.floor((frame.view.start_s - first_s) / step_s) - 1);
    const end = Math.min(values.length, Math.ceil((frame.view.end_s - first_s) / step_s) + 2);
    for (let step = begin; step < end;) {
      const from = edge(step);
      let [most, least, next] = [values[step], values[step], step + 1];
      for (; next < end && edge(next + 1) - from < 1; next += 1) {
        [most, least] = [Math.max(most, values[next]), Math.min(least, values[next])];
      }
      put(from, edge(next), most, least);
      step = next;
    }
    context.fillStyle = colour;
    context.fill(up);
    context.fillStyle = hatching(context, colour);
    context.fill(down);
    context.strokeStyle = colour;
    context.lineWidth = 0.8;
    context.stroke(down);
  }

  secondOpinion(context, frame, falls, top, base) {
    const { edges } = this.found;
    const at = (fall) => Math.min(top + this.rowHeight - 4, Math.max(top, base - fall * this.unitPixels));
    context.beginPath();
    falls.forEach((fall, window) => {
      context.lineTo(frame.x(edges[window]), at(fall));
      context.lineTo(frame.x(edges[window + 1]), at(fall));
    });
    context.strokeStyle = frame.theme.text;
    context.lineWidth = 1;
    context.setLineDash([1.5, 2.5]);
    context.stroke();
    context.setLineDash([]);
  }

  valueAt(name, time_s) {
    const { values, meta } = this.found;
    const step = Math.round((time_s - meta.first_s) / meta.step_s);
    return values[name][Math.min(values[name].length - 1, Math.max(0, step))];
  }

  readings(time_s) {
    if (!this.drawable || !this.found) return [];
    return ROWS.map(([name, words], row) => ({
      y: 3 + row * (this.rowHeight + 1) + this.rowHeight / 2 - 2,
      text: `${words} ${signed(this.valueAt(name, time_s))} ${this.found.unit}`,
    }));
  }
}
