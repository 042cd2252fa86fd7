// Cross-attention of one level: at each moment, how far before or after it the audio is that
// the picture attends to. Rows are time offsets, zero in the middle.

import { lookupTable } from "./colours.js";
import { el } from "./dom.js";
import { legend } from "./gates.js";
import { TilePyramid } from "./tiles.js";
import { formatStep } from "./timeline.js";
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
    super("attention", "Attention", "which audio the picture attends to: offset in time, mean over heads", player);
    this.chooser = el("select", { class: "mv-select mv-small", "aria-label": "Level of the attention shown",
      title: "Level of the pyramid", "data-testid": "attention-level", onchange: () => this.choose() });
    this.top = el("span", {});
    const scale = legend("cividis", "0", "", "attention weight");
    scale.lastChild.append(this.top);
    this.extras.append(this.chooser, scale);
    this.level = null;
  }

  get fullHeight() {
    return 62;
  }

  get messageHeight() {
    return this.pending ? this.fullHeight : 30;
  }

  choose() {
    this.level = Number(this.chooser.value);
    this.player.setAttentionLevel(this.level);
  }

  load(sources) {
    const source = sources.attention;
    // While another level is on its way the row keeps its height, so that nothing jumps.
    this.pending = source.state === "loading" && Boolean(this.pyramid);
    if (source.state !== "loading") this.pyramid = null;
    this.extras.hidden = source.state !== "ready" && !this.pending;
    const none = this.player.clip?.has_audio === false ? "This clip has no sound to attend to." : "This run has no cross-attention.";
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
    this.chooser.title = `Level of the pyramid; its steps last ${formatStep(meta.step_s)}`;
  }

  draw(context, frame) {
    const { first_s, step_s, offsets_s } = this.meta;
    context.save();
    context.clip(frame.clip);
    this.pyramid.draw(context, frame, first_s - step_s / 2, step_s, 2, frame.height - 4, false);
    context.restore();
    const middle = (this.rows - 1) / 2;
    const marks = [...new Set([0, Math.round(middle), this.rows - 1])];
    for (const row of marks) {
      const y = 2 + (frame.height - 4) * (1 - (row + 0.5) / this.rows);
      gutterLabel(context, frame, signed(offsets_s[row]), Math.min(frame.height - 8, Math.max(8, y)));
    }
  }

  readings(time_s, y) {
    if (!this.drawable) return [];
    const { first_s, step_s, offsets_s } = this.meta;
    const column = Math.min(this.columns - 1, Math.max(0, Math.round((time_s - first_s) / step_s)));
    const at = (row) => this.values[row * this.columns + column];
    let row = 0;
    if (y === null) {
      for (let other = 1; other < this.rows; other += 1) if (at(other) > at(row)) row = other;
    } else {
      const share = 1 - (y - 2) / (this.fullHeight - 4);
      row = Math.min(this.rows - 1, Math.max(0, Math.floor(share * this.rows)));
    }
    const text = `${signed(offsets_s[row])}: ${at(row).toFixed(2)}`;
    return [{ y: y ?? this.fullHeight / 2, text: y === null ? `most at ${text}` : text }];
  }
}
