// Which segment is selected, and the way from one to the next.

import { ERRORS } from "./errors.js";
import { compareRows, select } from "./matching.js";

const EMPTY = { labels: [], truth: [], detections: [], looked: false };
const byStart = (a, b) => a.start_s - b.start_s || a.end_s - b.end_s;

/** Which row beside the first a segment's id belongs to, from 0; -1 for `t3` and `d3`, which are of the first. */
export const placeOf = (id) => (id.startsWith("o") ? parseInt(id.slice(1), 10) - 1 : -1);

/** The segments of a clip, those shown of them, and the one selected. */
export class Choice {
  constructor() {
    this.data = EMPTY;
    this.view = {};
    this.id = null;
    this.shown = select(EMPTY, {});
    this.others = [];
    this.kind = "any"; // of the errors to go to
  }

  /**
   * @param {Object|null} data of the segments route, null while there is none
   * @param {(Object|null)[]} others the same of the rows beside it
   */
  update(data, view, others = []) {
    this.data = data ?? EMPTY;
    this.view = view;
    this.shown = select(this.data, view);
    this.others = others.map((each) => ({ data: each ?? EMPTY, shown: select(each ?? EMPTY, view) }));
    compareRows(this.shown.detections, this.others.map(({ shown }) => shown.detections));
  }

  /** The selected segment, shown or hidden; null where there is none of that name. */
  get segment() {
    if (!this.id) return null;
    return this.listOf(this.id).find((segment) => segment.id === this.id) ?? null;
  }

  /** All segments among which one of that name lies: `t3` true, `d0` detected, `o1d0` detected in the first row beside. */
  listOf(id) {
    if (id.startsWith("t")) return this.data.truth;
    if (id.startsWith("d")) return this.data.detections;
    return this.others[placeOf(id)]?.data.detections ?? [];
  }

  /** Whether a segment is among those shown. */
  isShown(segment) {
    return [this.shown.truth, this.shown.detections, ...this.others.map(({ shown }) => shown.detections)]
      .some((list) => list.includes(segment));
  }

  /** Whether there is anything to be wrong about. */
  get canErr() {
    return this.data.truth.length > 0 && this.data.looked;
  }

  get allErrors() {
    if (!this.canErr) return [];
    return [...this.shown.truth, ...this.shown.detections].filter((segment) => segment.error);
  }

  /** Errors of the chosen kind. */
  get errors() {
    return this.allErrors.filter((segment) => this.kind === "any" || segment.error === this.kind);
  }

  /** @returns {Object<string, number>} how many errors there are of each kind, and of any */
  get errorCounts() {
    const counts = { any: this.allErrors.length };
    for (const kind of Object.keys(ERRORS)) counts[kind] = 0;
    for (const { error } of this.allErrors) counts[error] += 1;
    return counts;
  }

  /** Choose the next (1) or previous (-1) kind of which there are errors. */
  turnKind(way) {
    const counts = this.errorCounts;
    const kinds = ["any", ...Object.keys(ERRORS)].filter((kind) => kind === "any" || counts[kind] || kind === this.kind);
    this.kind = kinds[(kinds.indexOf(this.kind) + way + kinds.length) % kinds.length];
  }

  /** The segments that a way leads through. */
  pool(kind) {
    const beside = this.others.flatMap(({ shown }) => shown.detections);
    if (kind === "errors") return this.errors;
    if (kind === "others") return beside;
    if (kind === "differences") return [...this.shown.detections, ...beside].filter((segment) => segment.alone);
    return [...this.shown[kind]];
  }

  /**
   * @param {"detections"|"truth"|"errors"|"others"|"differences"} kind
   * @param {1|-1} way next or previous in time
   * @param {number} time_s where to begin if nothing of this kind is selected
   * @returns {Object|null} from the last it goes on to the first
   */
  neighbour(kind, way, time_s) {
    const pool = this.pool(kind).sort(byStart);
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
