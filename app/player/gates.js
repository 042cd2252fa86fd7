// Gates: per pyramid level, how much audio is let in, from 0 (shut) to 1 (open).

import { gradient, lookupTable } from "./colours.js";
import { el } from "./dom.js";
import { TilePyramid } from "./tiles.js";
import { formatStep } from "./timeline.js";
import { Track, gutterLabel } from "./track.js";

const VIRIDIS = lookupTable("viridis");
const ROW = 14;
const LEAST_ROW = 12;

/** A legend from `low` to `high`, drawn once per track. */
export function legend(map, low, high, title) {
  return el("div", { class: "mv-legend", title }, el("span", {}, low),
    el("span", { class: "mv-ramp", style: `background:${gradient(map)}` }), el("span", {}, high));
}

export class GateTrack extends Track {
  constructor(player) {
    super("gates", "Gates", "how much audio each level of the pyramid lets in: 0 shut, 1 open", player);
    this.levels = [];
    this.extras.append(legend("viridis", "0", "1", "0: audio shut out, 1: audio let in"));
  }

  get fullHeight() {
    return Math.max(36, this.levels.length * ROW + 4);
  }

  get leastHeight() {
    return Math.max(36, this.levels.length * LEAST_ROW + 4);
  }

  /** Pixels of one level. */
  get rowHeight() {
    return Math.min(ROW, Math.floor((this.openHeight - 4) / this.levels.length));
  }

  load(sources) {
    const source = sources.gates;
    this.levels = [];
    this.extras.hidden = true;
    const { clip, view } = this.player;
    const none = clip?.has_audio === false ? "This clip has no sound, so there are no gates."
      : view?.run === null ? "Gates come with a run." : "This run has no gates here: it does not listen, not now, or only joins what others found.";
    if (!this.waitFor(source, none)) return;
    const { arrays, meta } = source.value;
    this.levels = (meta.levels ?? []).map((level, number) => {
      const { values } = arrays[`level_${number}`];
      const bytes = Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
      return { ...level, values, pyramid: new TilePyramid(bytes, 1, values.length, VIRIDIS) };
    });
    if (!this.levels.length) this.say("This run has no gates for this clip.");
    this.extras.hidden = !this.levels.length;
  }

  draw(context, frame) {
    const { rowHeight } = this;
    context.save();
    context.clip(frame.clip);
    this.levels.forEach((level, number) => {
      // The stored times are of the middles of the steps.
      const first_s = level.first_s - level.step_s / 2;
      level.pyramid.draw(context, frame, first_s, level.step_s, 2 + number * rowHeight, rowHeight - 1, false);
    });
    context.restore();
    this.levels.forEach((level, number) => {
      gutterLabel(context, frame, `L${number} · ${formatStep(level.step_s)}`, 2 + (number + 0.5) * rowHeight);
    });
  }

  valueAt(level, time_s) {
    const index = Math.round((time_s - level.first_s) / level.step_s);
    return level.values[Math.min(level.values.length - 1, Math.max(0, index))];
  }

  readings(time_s) {
    if (!this.drawable) return [];
    return this.levels.map((level, number) => ({
      y: 2 + (number + 0.5) * this.rowHeight - 0.5,
      text: this.valueAt(level, time_s).toFixed(2),
      small: true,
    }));
  }

  /** Mean gate per level inside a segment; the nearest step where none lies inside. */
  meansWithin(start_s, end_s) {
    return this.levels.map((level) => {
      const from = Math.max(0, Math.ceil((start_s - level.first_s) / level.step_s));
      const to = Math.min(level.values.length - 1, Math.floor((end_s - level.first_s) / level.step_s));
      if (to < from) return { step_s: level.step_s, mean: this.valueAt(level, (start_s + end_s) / 2) };
      let sum = 0;
      for (let index = from; index <= to; index += 1) sum += level.values[index];
      return { step_s: level.step_s, mean: sum / (to - from + 1) };
    });
  }
}
