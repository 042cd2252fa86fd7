// Which segment is selected, and the way from one to the next.

import { select } from "./matching.js";

const EMPTY = { labels: [], truth: [], detections: [] };
const byStart = (a, b) => a.start_s - b.start_s || a.end_s - b.end_s;

/** The segments of a clip, those shown of them, and the one selected. */
export class Choice {
  constructor() {
    this.data = EMPTY;
    this.view = {};
    this.id = null;
    this.shown = select(EMPTY, {});
  }

  /** @param {Object|null} data of the segments route, null while there is none */
  update(data, view) {
    this.data = data ?? EMPTY;
    this.view = view;
    this.shown = select(this.data, view);
  }

  /** The selected segment, shown or hidden; null where there is none of that name. */
  get segment() {
    if (!this.id) return null;
    const where = this.id.startsWith("t") ? this.data.truth : this.data.detections;
    return where.find((segment) => segment.id === this.id) ?? null;
  }

  /** Whether there is anything to be wrong about. */
  get canErr() {
    return this.data.truth.length > 0 && this.data.detections.length > 0;
  }

  get errors() {
    if (!this.canErr) return [];
    return [...this.shown.truth, ...this.shown.detections].filter((segment) => segment.error);
  }

  /**
   * @param {"detections"|"truth"|"errors"} kind
   * @param {1|-1} way next or previous in time
   * @param {number} time_s where to begin if nothing of this kind is selected
   * @returns {Object|null} from the last it goes on to the first
   */
  neighbour(kind, way, time_s) {
    const pool = (kind === "errors" ? this.errors : [...this.shown[kind]]).sort(byStart);
    if (!pool.length) return null;
    const place = pool.findIndex((segment) => segment.id === this.id);
    if (place >= 0) return pool[(place + way + pool.length) % pool.length];
    const from_s = this.segment?.start_s ?? time_s;
    const next = way > 0
      ? pool.find((segment) => segment.start_s > from_s + 1e-6)
      : pool.findLast((segment) => segment.start_s < from_s - 1e-6);
    return next ?? pool[way > 0 ? 0 : pool.length - 1];
  }
}
