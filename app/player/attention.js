// Cross-attention of one level: at each moment, which audio the picture attends to. Rows are time offsets,
// zero in the middle, where attention is local; where it reaches everywhere, they are the clip's own times.

import { lookupTable } from "./colours.js";
import { el } from "./dom.js";
import { legend } from "./gates.js";
import { TilePyramid } from "./tiles.js";
import { formatStep, formatTime } from "./timeline.js";
import { Track, gutterLabel } from "./track.js";

const CIVIDIS = lookupTable("cividis");

const signed = (seconds) => `${seconds > 0 ? "+" : seconds < 0 ? "−" : ""}${Math.abs(seconds).toFixed(Math.abs(seconds) < 10 ? 1 : 0)} s`;

/** The value drawn brightest: few weights are larger, and those must not leave the rest in the dark. */
function brightest(values) {
  const sorted = Float32Array.from(values).sort();
  const usual = sorted[Math.floor(0.995 * (sorted.length - 1))];
  return Math.max(usual > 0 ? usual : sorted[sorted.length - 1], 1e-9);
}

export class AttentionTrack extends Track {
  constructor(player) {
    super("attention", "Attention", "which audio the picture attends to, by offset in time or by time; the crosshair follows the playhead", player);
    this.chooser = el("select", { class: "mv-select mv-small", "aria-label": "Level of the attention shown",
      title: "Level of the pyramid", "data-testid": "attention-level", onchange: () => this.choose() });
    this.heads = el("select", { class: "mv-select mv-small", "aria-label": "Head of the attention shown",
      title: "One head, or the mean of all", "data-testid": "attention-head", onchange: () => this.chooseHead() });
    this.top = el("span", {});
    const scale = legend("cividis", "0", "", "attention weight");
    scale.lastChild.append(this.top);
    this.extras.append(el("div", { class: "mv-choosers" }, this.chooser, this.heads), scale);
    this.level = null;
  }

  get fullHeight() {
    return this.meta && !this.isLocal ? 124 : 62;
  }

  get leastHeight() {
    return this.meta && !this.isLocal ? 90 : 56;
  }

  get isLocal() {
    return Array.isArray(this.meta.offsets_s);
  }

  choose() {
    this.level = Number(this.chooser.value);
    this.player.setAttentionLevel(this.level);
  }

  chooseHead() {
    this.player.setAttentionHead(this.heads.value === "" ? null : Number(this.heads.value));
  }

  load(sources) {
    const source = sources.attention;
    // While another level is on its way the row keeps its height, so that nothing jumps.
    this.pending = source.state === "loading" && Boolean(this.pyramid);
    if (source.state !== "loading") this.pyramid = null;
    this.extras.hidden = source.state !== "ready" && !this.pending;
    const { clip, view } = this.player;
    const none = clip?.has_audio === false ? "This clip has no sound to attend to."
      : view?.run === null ? "Cross-attention comes with a run." : "This run has no cross-attention.";
    if (!this.waitFor(source, none)) return;
    const { arrays, meta } = source.value;
    const [rows, columns] = arrays.weights.shape;
    if (!rows || !columns) {
      this.extras.hidden = true;
      return void this.say(none);
    }
    this.meta = meta;
    Object.assign(this, { rows, columns, values: arrays.weights.values, pending: false });
    const most = brightest(this.values);
    const bytes = Uint8Array.from(this.values, (value) => Math.round((255 * Math.min(most, Math.max(0, value))) / most));
    this.pyramid = new TilePyramid(bytes, rows, columns, CIVIDIS);
    this.top.textContent = `≥${most.toFixed(2)}`;
    this.fillChooser(meta);
  }

  fillChooser(meta) {
    this.level = meta.level;
    const options = Array.from({ length: meta.levels }, (_, level) =>
      el("option", { value: level, selected: level === meta.level }, `L${level}`));
    this.chooser.replaceChildren(...options);
    this.chooser.value = String(meta.level);
    const heads = Array.from({ length: meta.heads ?? 0 }, (_, head) => el("option", { value: head }, `H${head}`));
    this.heads.replaceChildren(el("option", { value: "" }, "mean"), ...heads);
    this.heads.value = meta.head === null || meta.head === undefined ? "" : String(meta.head);
    this.heads.hidden = heads.length < 2;
    this.chooser.title = `Level of the pyramid; its steps last ${formatStep(meta.step_s)}`;
  }

  draw(context, frame) {
    const { first_s, step_s } = this.meta;
    context.save();
    context.clip(frame.clip);
    this.pyramid.draw(context, frame, first_s - step_s / 2, step_s, 2, frame.height - 4, false);
    context.restore();
    const middle = (this.rows - 1) / 2;
    const marks = [...new Set([0, Math.round(middle), this.rows - 1])];
    for (const row of marks) {
      gutterLabel(context, frame, this.nameOf(row), Math.min(frame.height - 8, Math.max(8, this.yOf(row))));
    }
  }

  /** What a row stands for: an offset, or a time of the clip. */
  nameOf(row) {
    const { offsets_s, sounds_first_s, sounds_step_s } = this.meta;
    return this.isLocal ? signed(offsets_s[row]) : formatTime(sounds_first_s + row * sounds_step_s, 0);
  }

  yOf(row) {
    return 2 + (this.fullHeight - 4) * (1 - (row + 0.5) / this.rows);
  }

  columnAt(time_s) {
    const { first_s, step_s } = this.meta;
    return Math.min(this.columns - 1, Math.max(0, Math.round((time_s - first_s) / step_s)));
  }

  /** The row that is attended to most at a moment. */
  mostAt(time_s) {
    const column = this.columnAt(time_s);
    let most = 0;
    for (let row = 1; row < this.rows; row += 1) {
      if (this.values[row * this.columns + column] > this.values[most * this.columns + column]) most = row;
    }
    return most;
  }

  /** Where the crosshair's lines lie at a moment: the sound of that very moment, and the one attended to most. */
  crosshair(time_s) {
    if (!this.drawable || !this.pyramid) return null;
    const { sounds_first_s, sounds_step_s } = this.meta;
    const row = this.isLocal ? (this.rows - 1) / 2 : (time_s - sounds_first_s) / sounds_step_s;
    return { y: this.yOf(Math.min(this.rows - 1, Math.max(0, row))), most: this.yOf(this.mostAt(time_s)) };
  }

  readings(time_s, y) {
    if (!this.drawable) return [];
    const column = this.columnAt(time_s);
    const at = (row) => this.values[row * this.columns + column];
    let row = this.mostAt(time_s);
    if (y !== null) {
      const share = 1 - (y - 2) / (this.fullHeight - 4);
      row = Math.min(this.rows - 1, Math.max(0, Math.floor(share * this.rows)));
    }
    const text = `${this.nameOf(row)}: ${at(row).toFixed(2)}`;
    return [{ y: y ?? this.fullHeight / 2, text: y === null ? `most at ${text}` : text }];
  }
}
