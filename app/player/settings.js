// What a person has arranged, remembered by the browser: order and folding of tracks, loudness.

const KEY = "mravff.player";

/** @returns {{order: string[], folded: string[], volume: number, muted: boolean, level: number}} */
export function readSettings() {
  let stored = {};
  try {
    stored = JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    // No storage, or something else has written there: begin afresh.
  }
  const names = (value) => (Array.isArray(value) ? value.filter((name) => typeof name === "string") : []);
  return {
    order: names(stored.order),
    folded: names(stored.folded),
    volume: Number.isFinite(stored.volume) ? Math.min(1, Math.max(0, stored.volume)) : 1,
    muted: stored.muted === true,
    level: Number.isInteger(stored.level) && stored.level >= 0 ? stored.level : 0,
  };
}

export function writeSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private windows may refuse; the arrangement then lasts as long as the page.
  }
}

/** `tracks` in the remembered order; ones never arranged keep their usual place. */
export function arranged(tracks, order) {
  const known = order.filter((name) => tracks.some((track) => track.name === name));
  const queue = known.map((name) => tracks.find((track) => track.name === name));
  return tracks.map((track) => (known.includes(track.name) ? queue.shift() : track));
}
