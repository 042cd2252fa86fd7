// Which segments the view shows, in which lanes they lie, and how they compare.

import { judge, judgeTruth, pair } from "./errors.js";

/** Lanes from the top, so that segments of a lane never overlap. @returns {number} lanes used */
export function assignLanes(segments) {
  const ends = [];
  for (const segment of segments) {
    let lane = ends.findIndex((end_s) => end_s <= segment.start_s + 1e-6);
    if (lane < 0) lane = ends.length;
    ends[lane] = segment.end_s;
    segment.lane = lane;
  }
  return ends.length;
}

/**
 * Sort segments into what the view shows and what it hides.
 * @param {Object} data of the segments route: labels, truth, detections, looked
 * @param {{threshold: number, shown_labels: number[]}} view with no labels to show all
 */
export function select(data, view) {
  const chosen = new Set(view.shown_labels ?? []);
  const shows = (segment) => !chosen.size || chosen.has(segment.label);
  const threshold = view.threshold ?? 0;
  const byStart = (a, b) => a.start_s - b.start_s || b.end_s - a.end_s;
  const truth = data.truth.filter(shows).sort(byStart);
  const detections = data.detections
    .filter((segment) => segment.score >= threshold && shows(segment))
    .sort(byStart);
  const found = judge(detections, data.truth);
  judgeTruth(truth, found, data.looked);
  return {
    truth,
    detections,
    found,
    hiddenTruth: data.truth.length - truth.length,
    hiddenDetections: data.detections.length - detections.length,
    belowThreshold: data.detections.filter((segment) => segment.score < threshold).length,
  };
}

/**
 * Set `alone` of every detection: whether a row beside its own has none like it.
 * @param {Object[]} main detections of the first row
 * @param {Object[][]} others those of the rows beside it
 */
export function compareRows(main, others) {
  for (const detection of main) detection.alone = false;
  for (const row of others) {
    const paired = pair(main, row);
    for (const detection of main) detection.alone ||= !paired.has(detection);
    for (const detection of row) detection.alone = !paired.has(detection);
  }
}
