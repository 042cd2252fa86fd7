// Pointer and wheel over the tracks: click to seek and select, drag to pan, wheel and pinch to zoom.

import { GUTTER } from "./track.js";

const CLICK_PIXELS = 4;
const WHEEL_LINE = 16;

/**
 * @param {HTMLElement} stage that holds the rows
 * @param {Object} player gives `timeline`, `frameWidth`, `click()`, `hover()`, `doubleClick()`
 * @returns {() => void} stops listening
 */
export function listenToPointers(stage, player) {
  const held = new Map();
  let start = null;
  let pinch = null;
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - GUTTER, y: event.clientY - box.top };
  };
  const timeAt = (x) => player.timeline.toTime(Math.min(Math.max(x, 0), player.frameWidth), player.frameWidth);
  const onTracks = (event) => !event.target.closest?.(".mv-gutter, .mv-overview, .mv-status, button, select");

  const down = (event) => {
    if (event.button !== 0 || !onTracks(event)) return;
    const at = place(event);
    if (at.x < -2) return;
    held.set(event.pointerId, at);
    stage.setPointerCapture(event.pointerId);
    start = { ...at, moved: held.size > 1, start_s: player.timeline.start_s, end_s: player.timeline.end_s };
    pinch = held.size === 2 ? spread(held) : null;
  };
  const move = (event) => {
    const at = place(event);
    const inside = at.x >= 0 && at.x <= player.frameWidth && !event.target.closest?.(".mv-overview");
    player.hover(inside && event.pointerType !== "touch" ? { time_s: timeAt(at.x), y: at.y } : null);
    if (!held.has(event.pointerId)) return;
    held.set(event.pointerId, at);
    if (pinch) {
      const now = spread(held);
      player.timeline.zoomAt(timeAt(now.middle), now.distance / pinch.distance);
      pinch = now;
      return;
    }
    if (Math.abs(at.x - start.x) > CLICK_PIXELS) start.moved = true;
    if (!start.moved) return;
    stage.classList.add("mv-panning");
    const moved_s = ((start.x - at.x) / player.frameWidth) * (start.end_s - start.start_s);
    player.timeline.show(start.start_s + moved_s, start.end_s + moved_s);
  };
  const up = (event) => {
    if (!held.delete(event.pointerId)) return;
    stage.classList.remove("mv-panning");
    if (event.type === "pointerup" && start && !start.moved && !pinch) player.click(timeAt(start.x), start.y);
    if (!held.size) pinch = null;
  };
  const wheel = (event) => {
    const at = place(event);
    const scale = event.deltaMode === 1 ? WHEEL_LINE : 1;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      player.timeline.zoomAt(timeAt(at.x), Math.exp((-event.deltaY * scale) / 300));
      return;
    }
    // A plain wheel scrolls the page, as everywhere else on it.
    const sideways = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
    if (!sideways || (!event.shiftKey && Math.abs(event.deltaY) > Math.abs(sideways))) return;
    event.preventDefault();
    player.timeline.pan(((sideways * scale) / player.frameWidth) * player.timeline.span_s);
  };
  const twice = (event) => {
    const at = place(event);
    if (onTracks(event) && at.x >= 0) player.doubleClick(timeAt(at.x), at.y);
  };
  const leave = () => player.hover(null);

  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, dblclick: twice,
    pointerleave: leave };
  for (const [name, listener] of Object.entries(listeners)) stage.addEventListener(name, listener);
  stage.addEventListener("wheel", wheel, { passive: false });
  return () => {
    for (const [name, listener] of Object.entries(listeners)) stage.removeEventListener(name, listener);
    stage.removeEventListener("wheel", wheel);
  };
}

function spread(held) {
  const [one, other] = [...held.values()];
  return { distance: Math.max(10, Math.abs(one.x - other.x)), middle: (one.x + other.x) / 2 };
}
