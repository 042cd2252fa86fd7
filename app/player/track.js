// What all tracks share: a row with a gutter for its name and buttons, a canvas, and a line of
// text with a Retry button in place of a picture that cannot be shown.

import { button, el, icon } from "./dom.js";

export const GUTTER = 132; // pixels left of time zero; the same in every row
const FOLDED = 22;
const MESSAGE = 30;
const MAX_CANVAS = 8192; // browsers refuse wider ones

/** Size a canvas for the screen it is on. @returns {number} its pixels per CSS pixel */
export function sizeCanvas(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, MAX_CANVAS / Math.max(width, height, 1));
  const wide = Math.max(1, Math.round(width * ratio));
  const high = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  return ratio;
}

/** Base of the tracks; each says what it needs, how high it is, and how to draw and read it. */
export class Track {
  /**
   * @param {string} name in addresses, storage and test ids
   * @param {string} title in the gutter
   * @param {string} hint what the picture means, as a tooltip
   * @param {Object} player gives `sources`, `view`, `settings`, `invalidate()`, `relayout()`
   */
  constructor(name, title, hint, player) {
    Object.assign(this, { name, title, hint, player, folded: false, squeeze: 0, pending: false, message: "", failed: null, subtitle: "" });
    this.canvas = el("canvas", { class: "mv-canvas", role: "img", "aria-label": `${title}: ${hint}` });
    this.context = this.canvas.getContext("2d");
    this.extras = el("div", { class: "mv-extras" });
    this.fold = button(`fold-${name}`, `Fold ${title}`, () => player.toggleFold(this), icon("down", 12));
    this.label = el("span", { class: "mv-name" }, title);
    this.note = el("span", { class: "mv-note", "data-testid": `note-${name}` });
    const move = (step, way) =>
      button(`move-${way}-${name}`, `Move ${title} ${way}`, () => player.moveTrack(this, step), icon(way, 12));
    this.gutter = el(
      "div",
      { class: "mv-gutter" },
      el("div", { class: "mv-title", title: hint }, this.fold, this.label, this.note,
        el("span", { class: "mv-move" }, move(-1, "up"), move(1, "down"))),
      this.extras,
    );
    this.text = el("span", {});
    this.retry = button(`retry-${name}`, `Fetch ${title} again`, () => this.failed?.retry(), "Retry");
    this.status = el("div", { class: "mv-status", role: "status", hidden: true }, this.text, this.retry);
    this.row = el("div", { class: "mv-row", "data-testid": `track-${name}` }, this.canvas, this.gutter, this.status);
    this.row.track = this;
  }

  /** Call the row something else; what comes after a dot stands in a line of its own. */
  setTitle(title) {
    if (title === this.title) return;
    this.title = title;
    const [name, ...more] = title.split(" · ");
    this.label.textContent = name;
    this.label.title = title;
    this.subtitle = more.join(" · ");
    this.extras.replaceChildren(...(this.subtitle ? [el("span", { class: "mv-sub" }, this.subtitle)] : []));
    this.canvas.setAttribute("aria-label", `${title}: ${this.hint}`);
    this.setFolded(this.folded);
  }

  /** Pixels the row takes now. */
  get height() {
    if (this.folded) return FOLDED;
    return this.pictured ? this.openHeight : MESSAGE;
  }

  /** Whether the row has the room of its picture: there it is, or on its way in place of another. */
  get pictured() {
    return !this.folded && (!this.message || this.pending);
  }

  /** Pixels of the picture, between all it wants and the least, as the window has room. */
  get openHeight() {
    return Math.round(this.fullHeight - this.squeeze * (this.fullHeight - this.leastHeight));
  }

  get fullHeight() {
    return 60;
  }

  get leastHeight() {
    return this.fullHeight;
  }

  get drawable() {
    return !this.folded && !this.message;
  }

  /** Show `text` instead of a picture; `failed` is the source to try again. */
  say(text, failed = null) {
    this.message = text;
    this.failed = failed;
    this.text.textContent = text;
    this.retry.hidden = !failed;
    this.status.hidden = !text || this.folded;
    this.status.classList.toggle("mv-failed", Boolean(failed));
  }

  setFolded(folded) {
    this.folded = folded;
    this.row.classList.toggle("mv-folded", folded);
    this.fold.replaceChildren(icon(folded ? "right" : "down", 12));
    this.fold.setAttribute("aria-expanded", String(!folded));
    this.fold.title = `${folded ? "Unfold" : "Fold"} ${this.title}`;
    this.fold.setAttribute("aria-label", this.fold.title);
    this.status.hidden = !this.message || folded;
  }

  /** Say what `source` is doing; true once its value can be drawn. */
  waitFor(source, missing) {
    if (source.state === "none") this.say(missing);
    else if (source.state === "loading") this.say("Loading …");
    else if (source.state === "failed") this.say(`${this.title} could not be loaded: ${source.error}.`, source);
    else this.say("");
    return source.state === "ready";
  }

  /** @returns {{context: CanvasRenderingContext2D, ratio: number}} a cleared canvas of the right size */
  begin(width, ratioHeight = this.height) {
    const ratio = sizeCanvas(this.canvas, width, ratioHeight);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, ratioHeight);
    return { context: this.context, ratio };
  }

  /** Draw within `frame`: {view, left, width, height, ratio, theme, x(time_s)}. */
  draw() {}

  /** @returns {{y: number, text: string}[]} what the track shows at a moment */
  readings() {
    return [];
  }
}

/** Small text in the gutter, right-aligned against time zero. */
export function gutterLabel(context, frame, text, y) {
  context.font = `10px ${frame.theme.font}`;
  context.fillStyle = frame.theme.muted;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(text, frame.left - 6, y);
}
