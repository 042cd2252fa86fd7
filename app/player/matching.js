// Which detections are errors and which true segments are missed, at the threshold in force.

const ENOUGH = 0.5; // temporal overlap (intersection over union) that counts as found

export function overlap(one, other) {
  const shared = Math.min(one.end_s, other.end_s) - Math.max(one.start_s, other.start_s);
  if (shared <= 0) return 0;
  return shared / (one.end_s - one.start_s + other.end_s - other.start_s - shared);
}

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
 * @param {Object} data of the segments route: labels, truth, detections
 * @param {{threshold: number, hidden_labels: number[]}} view
 */
export function select(data, view) {
  const hidden = new Set(view.hidden_labels ?? []);
  const threshold = view.threshold ?? 0;
  const byStart = (a, b) => a.start_s - b.start_s || b.end_s - a.end_s;
  const truth = data.truth.filter((segment) => !hidden.has(segment.label)).sort(byStart);
  const detections = data.detections
    .filter((segment) => segment.score >= threshold && !hidden.has(segment.label))
    .sort(byStart);
  const found = new Map();
  for (const detection of detections) {
    for (const segment of truth) {
      if (segment.start_s >= detection.end_s) break;
      if (segment.label !== detection.label) continue;
      const tiou = overlap(segment, detection);
      if (tiou > (found.get(segment.id)?.tiou ?? 0)) found.set(segment.id, { tiou, id: detection.id });
    }
  }
  const trueById = new Map(data.truth.map((segment) => [segment.id, segment]));
  for (const detection of detections) {
    const best = trueById.get(detection.best_truth);
    const sameClass = !best || best.label === detection.label;
    detection.error = data.truth.length > 0 && !(sameClass && (detection.best_tiou ?? 0) >= ENOUGH);
  }
  for (const segment of truth) segment.error = !((found.get(segment.id)?.tiou ?? 0) >= ENOUGH);
  return {
    truth,
    detections,
    found,
    hiddenTruth: data.truth.length - truth.length,
    hiddenDetections: data.detections.length - detections.length,
    belowThreshold: data.detections.filter((segment) => segment.score < threshold).length,
  };
}

export const EXPLAIN_ERROR = {
  detection: "no true segment of this class overlaps it by half",
  truth: "no shown detection of this class overlaps it by half",
};
