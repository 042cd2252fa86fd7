// What is wrong with a segment, at the threshold in force. The kinds are those of Alwassel et al.
// (Diagnosing Error in Temporal Action Detectors, ECCV 2018), and a missed true segment.

const ENOUGH = 0.5; // temporal overlap (intersection over union) that counts as found
const SOME = 0.1; // less is no overlap worth speaking of

/** Kinds of error with their name in lists and what they say of a segment. */
export const ERRORS = {
  missed: { name: "missed", words: "no shown detection of this class overlaps it by half" },
  boundaries: { name: "boundaries off", words: "a true segment of this class overlaps it, but by less than half" },
  class: { name: "wrong class", words: "the true segment that it overlaps by half has another class" },
  both: { name: "class and boundaries", words: "the true segment that it overlaps has another class, and by less than half" },
  duplicate: { name: "duplicate", words: "its true segment is found already, by a detection of higher score" },
  background: { name: "nothing there", words: "no true segment overlaps it by a tenth" },
};

export function overlap(one, other) {
  const shared = Math.min(one.end_s, other.end_s) - Math.max(one.start_s, other.start_s);
  if (shared <= 0) return 0;
  return shared / (one.end_s - one.start_s + other.end_s - other.start_s - shared);
}

/** @returns {{segment: Object, tiou: number}[]} of `sorted` (by start) those that touch `segment`, widest overlap first */
function touching(segment, sorted) {
  const found = [];
  for (const other of sorted) {
    if (other.start_s >= segment.end_s) break;
    const tiou = overlap(segment, other);
    if (tiou > 0) found.push({ segment: other, tiou });
  }
  return found.sort((a, b) => b.tiou - a.tiou);
}

function kindOf(detection, near, taken) {
  const mine = near.filter(({ segment, tiou }) => segment.label === detection.label && tiou >= ENOUGH);
  const free = mine.find(({ segment }) => !taken.has(segment.id));
  if (free) {
    taken.add(free.segment.id);
    return "";
  }
  if (mine.length) return "duplicate";
  const [best] = near;
  if (!best || best.tiou < SOME) return "background";
  if (best.segment.label === detection.label) return "boundaries";
  return best.tiou >= ENOUGH ? "class" : "both";
}

/**
 * Set `error` of every detection to its kind of error, "" for none.
 * @param {Object[]} detections shown
 * @param {Object[]} truth of the whole clip; where there is none nothing can be wrong
 * @returns {Map<string, {tiou: number, id: string}>} by true segment, the detection of its class that overlaps it most
 */
export function judge(detections, truth) {
  const sorted = [...truth].sort((a, b) => a.start_s - b.start_s);
  const taken = new Set();
  const found = new Map();
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    const near = touching(detection, sorted);
    detection.error = truth.length ? kindOf(detection, near, taken) : "";
    for (const { segment, tiou } of near) {
      if (segment.label !== detection.label || tiou <= (found.get(segment.id)?.tiou ?? 0)) continue;
      found.set(segment.id, { tiou, id: detection.id });
    }
  }
  return found;
}

/**
 * Set `error` of every true segment.
 * @param {Map} found as `judge` returns it
 * @param {boolean} looked whether a detector has looked at the clip; where none has, nothing is missed
 */
export function judgeTruth(truth, found, looked) {
  for (const segment of truth) segment.error = !looked || (found.get(segment.id)?.tiou ?? 0) >= ENOUGH ? "" : "missed";
}

/** Pair detections of two sides, the best first, one to one: same class, overlapping by half. @returns {Set} paired */
export function pair(one, other) {
  const sorted = [...other].sort((a, b) => a.start_s - b.start_s);
  const paired = new Set();
  for (const detection of [...one].sort((a, b) => b.score - a.score)) {
    const partner = touching(detection, sorted).find(
      ({ segment, tiou }) => tiou >= ENOUGH && segment.label === detection.label && !paired.has(segment),
    );
    if (partner) paired.add(detection).add(partner.segment);
  }
  return paired;
}
