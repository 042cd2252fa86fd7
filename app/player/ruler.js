// The time axis above the tracks, and the overview of the whole clip with the part in view.

import { classColour } from "./colours.js";
import { el } from "./dom.js";
import { decimalsFor, formatTime, tickSteps } from "./timeline.js";
import { GUTTER, gutterLabel, sizeCanvas } from "./track.js";

export const RULER_HEIGHT = 20;
export const OVERVIEW_HEIGHT = 24;
const EDGE = 7; // pixels beside an edge of the window that grab the edge

function begin(canvas, width, height) {
  const ratio = sizeCanvas(canvas, width, height);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Ticks with times. */
export class Ruler {
  constructor() {
    this.canvas = el("canvas", { class: "mv-canvas", "aria-hidden": "true" });
    this.row = el("div", { class: "mv-row mv-ruler", style: `height:${RULER_HEIGHT}px` }, this.canvas);
  }

  draw(frame) {
    const { view, theme, left, width } = frame;
    const context = begin(this.canvas, left + width + frame.right, RULER_HEIGHT);
    const { step_s, minor_s } = tickSteps(view.span_s, width);
    const decimals = decimalsFor(step_s);
    const first = Math.ceil(view.start_s / minor_s - 1e-6);
    const perLabel = Math.round(step_s / minor_s);
    context.font = `10.5px ${theme.font}`;
    context.textBaseline = "middle";
    for (let tick = first; tick * minor_s <= view.end_s + 1e-6; tick += 1) {
      const x = Math.round(frame.x(tick * minor_s)) + 0.5;
      const labelled = tick % perLabel === 0;
      context.fillStyle = labelled ? theme.faint : theme.line;
      context.fillRect(x - 0.5, RULER_HEIGHT - (labelled ? 6 : 3), 1, labelled ? 6 : 3);
      if (!labelled) continue;
      const text = formatTime(tick * minor_s, decimals);
      const half = context.measureText(text).width / 2;
      context.textAlign = "left";
      context.fillStyle = theme.muted;
      context.fillText(text, Math.min(Math.max(x - half, left), left + width - 2 * half), 7);
    }
  }
}

/** The whole clip: true segments above, shown detections below, the part in view framed. */
export class Overview {
  /** @param {{timeline: Timeline}} player */
  constructor(player) {
    this.player = player;
    this.canvas = el("canvas", { class: "mv-canvas", "aria-hidden": "true" });
    const hint = "The whole clip; drag the window to move it, its edges to zoom";
    this.row = el("div", { class: "mv-row mv-overview", title: hint, "data-testid": "overview",
      style: `height:${OVERVIEW_HEIGHT}px` }, this.canvas);
    this.segments = { truth: [], detections: [] };
    this.picture = el("canvas");
    this.row.addEventListener("pointerdown", (event) => this.grab(event));
    this.row.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.row.addEventListener(end, () => (this.held = null));
  }

  x(time_s) {
    return GUTTER + (time_s / this.player.timeline.duration_s) * this.width;
  }

  timeAt(event) {
    const x = event.clientX - this.row.getBoundingClientRect().left - GUTTER;
    return Math.min(1, Math.max(0, x / this.width)) * this.player.timeline.duration_s;
  }

  grab(event) {
    const view = this.player.timeline;
    const time_s = this.timeAt(event);
    const near_s = (EDGE / this.width) * view.duration_s;
    this.row.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (!view.isFit && Math.abs(time_s - view.start_s) < near_s) this.held = { edge: "start" };
    else if (!view.isFit && Math.abs(time_s - view.end_s) < near_s) this.held = { edge: "end" };
    else {
      const inside = time_s >= view.start_s && time_s <= view.end_s;
      if (!inside) view.pan(time_s - (view.start_s + view.end_s) / 2);
      this.held = { offset_s: time_s - view.start_s };
    }
  }

  drag(event) {
    if (!this.held) return;
    const view = this.player.timeline;
    const time_s = this.timeAt(event);
    if (this.held.edge === "start") view.show(Math.min(time_s, view.end_s - 0.25), view.end_s);
    else if (this.held.edge === "end") view.show(view.start_s, Math.max(time_s, view.start_s + 0.25));
    else view.pan(time_s - this.held.offset_s - view.start_s);
  }

  /** All segments of the clip; drawn anew only when they, the theme or the width are others. */
  drawSegments(frame) {
    const { theme, left, width } = frame;
    const key = [this.segments, theme, width, this.player.timeline.duration_s, window.devicePixelRatio];
    if (this.drawn?.every((value, place) => value === key[place])) return;
    this.drawn = key;
    const context = begin(this.picture, left + width + frame.right, OVERVIEW_HEIGHT);
    context.fillStyle = theme.track;
    context.fillRect(left, 2, width, OVERVIEW_HEIGHT - 4);
    // True segments may reach beyond the clip.
    context.save();
    context.beginPath();
    context.rect(left, 0, width, OVERVIEW_HEIGHT);
    context.clip();
    const bars = (segments, top, alpha) => {
      for (const segment of segments) {
        context.globalAlpha = alpha(segment);
        context.fillStyle = classColour(segment.label, theme);
        const x = this.x(segment.start_s);
        context.fillRect(x, top, Math.max(1.5, this.x(segment.end_s) - x), 7);
      }
    };
    bars(this.segments.truth, 4, () => 0.55);
    bars(this.segments.detections, 13, (segment) => 0.35 + 0.65 * segment.score);
    context.restore();
    gutterLabel(context, frame, "whole clip", OVERVIEW_HEIGHT / 2);
  }

  draw(frame) {
    const { theme, left, width, view } = frame;
    const wide = left + width + frame.right;
    this.width = width;
    this.drawSegments(frame);
    const context = begin(this.canvas, wide, OVERVIEW_HEIGHT);
    context.drawImage(this.picture, 0, 0, wide, OVERVIEW_HEIGHT);
    const from = this.x(view.start_s);
    const to = this.x(view.end_s);
    context.fillStyle = theme.dark ? "rgba(0,0,0,0.45)" : "rgba(255,255,255,0.62)";
    context.fillRect(left, 2, from - left, OVERVIEW_HEIGHT - 4);
    context.fillRect(to, 2, left + width - to, OVERVIEW_HEIGHT - 4);
    context.strokeStyle = theme.primary;
    context.lineWidth = 1.5;
    context.strokeRect(from + 0.75, 1.75, Math.max(3, to - from - 1.5), OVERVIEW_HEIGHT - 3.5);
  }
}
