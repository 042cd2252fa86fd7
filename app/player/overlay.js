// What moves over the tracks: playhead, the line under the pointer, values, the chosen segment.

import { blend } from "./colours.js";
import { el, fittingText } from "./dom.js";
import { formatTime } from "./timeline.js";
import { sizeCanvas } from "./track.js";

const LABEL = 15;
const LONGEST = 360; // pixels of a value

export class Overlay {
  constructor() {
    this.canvas = el("canvas", { class: "mv-overlay", "aria-hidden": "true", "data-testid": "overlay" });
    this.context = this.canvas.getContext("2d");
  }

  /**
   * @param {Object} frame where time lies
   * @param {{time_s: number, pointer: {time_s: number, y: number}|null, selected: Object|null,
   *   tracks: {track: Track, top: number, height: number}[], height: number}} scene
   */
  draw(frame, scene) {
    const { context } = this;
    const wide = frame.left + frame.width + frame.right;
    const ratio = sizeCanvas(this.canvas, wide, scene.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, wide, scene.height);
    context.save();
    context.beginPath();
    context.rect(frame.left, 0, frame.width + frame.right, scene.height);
    context.clip();
    if (scene.selected) this.shade(frame, scene);
    const head = frame.x(scene.time_s);
    context.fillStyle = frame.theme.playhead;
    if (head >= frame.left - 1 && head <= frame.left + frame.width + 1) {
      context.fillRect(Math.round(head) - 0.75, 0, 1.5, scene.height);
      context.beginPath();
      context.moveTo(head - 6, 0);
      context.lineTo(head + 6, 0);
      context.lineTo(head, 8);
      context.closePath();
      context.fill();
    }
    this.crosshairs(frame, scene);
    if (scene.pointer) {
      context.fillStyle = frame.theme.muted;
      context.fillRect(Math.round(frame.x(scene.pointer.time_s)), 0, 1, scene.height);
    }
    context.restore();
    this.values(frame, scene);
  }

  /** Across maps of time by time: the row of this very moment, and a ring on what the map says of it. */
  crosshairs(frame, { time_s, pointer, tracks }) {
    const { context } = this;
    for (const { track, top, height } of tracks) {
      const inside = pointer && pointer.y >= top && pointer.y < top + height;
      const at_s = inside ? pointer.time_s : time_s;
      const cross = track.crosshair?.(at_s);
      if (!cross) continue;
      const colour = inside ? frame.theme.background : frame.theme.playhead;
      context.fillStyle = colour;
      context.fillRect(frame.left, top + Math.round(inside ? pointer.y - top : cross.y) - 0.5, frame.width, 1);
      context.strokeStyle = colour;
      context.lineWidth = 1.6;
      context.beginPath();
      context.arc(frame.x(at_s), top + cross.most, 4, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  shade(frame, scene) {
    const { context } = this;
    const { selected } = scene;
    const from = Math.max(frame.left - 2, frame.x(selected.start_s));
    const to = Math.min(frame.left + frame.width + 2, frame.x(selected.end_s));
    if (to <= from) return;
    context.globalAlpha = frame.theme.dark ? 0.13 : 0.1;
    context.fillStyle = frame.theme.text;
    context.fillRect(from, 0, to - from, scene.height);
    context.globalAlpha = 0.75;
    context.fillRect(from, 0, 1, scene.height);
    context.fillRect(to - 1, 0, 1, scene.height);
    context.globalAlpha = 1;
  }

  /** Every track's value, beside the pointer's line or else beside the playhead. */
  values(frame, scene) {
    const { pointer } = scene;
    const time_s = pointer ? pointer.time_s : scene.time_s;
    const x = frame.x(time_s);
    if (x < frame.left - 1 || x > frame.left + frame.width + 1) return;
    const shown = pointer ? [{ y: 7, text: formatTime(time_s, 2) }] : [];
    for (const { track, top, height } of scene.tracks) {
      const inside = pointer && pointer.y >= top && pointer.y < top + height;
      for (const reading of track.readings(time_s, inside ? pointer.y - top : null)) {
        shown.push({ ...reading, y: top + reading.y });
      }
    }
    this.context.textBaseline = "middle";
    const back = blend(frame.theme.background, frame.theme.text, 0.94);
    for (const { y, text, small, inGutter } of shown) {
      if (inGutter) this.aside(frame, y, text);
      else this.label(frame, x, y, text, small, back);
    }
  }

  /** What is there at this moment, under the name of the track. */
  aside(frame, y, text) {
    const { context } = this;
    context.font = `11px ${frame.theme.font}`;
    context.fillStyle = frame.theme.muted;
    context.textAlign = "left";
    context.fillText(fittingText(context, text, frame.left - 28), 19, y);
  }

  label(frame, x, y, words, small, back) {
    const { context } = this;
    context.font = `${small ? 10 : 11}px ${frame.theme.font}`;
    const text = fittingText(context, words, LONGEST);
    const wide = context.measureText(text).width + 10;
    const high = small ? LABEL - 2 : LABEL + 1;
    const left = x + 6 + wide > frame.left + frame.width + frame.right ? x - 6 - wide : x + 6;
    context.globalAlpha = 0.92;
    context.fillStyle = back;
    context.beginPath();
    context.roundRect(left, y - high / 2, wide, high, 3);
    context.fill();
    context.globalAlpha = 1;
    context.fillStyle = frame.theme.text;
    context.textAlign = "left";
    context.fillText(text, left + 5, y + 0.5);
  }
}
