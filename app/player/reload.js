// Where playback stood when its page is loaded again: the address knows only where it last rested.

const KEY = "mravff.reload";

/** Remember the moment when the page goes. @returns {() => void} that stops it */
export function rememberMoment(player) {
  const keep = () => {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ clip: player.clip?.id, time_s: player.time_s }));
    } catch {
      // Without storage the address alone tells.
    }
  };
  window.addEventListener("pagehide", keep);
  return () => window.removeEventListener("pagehide", keep);
}

/** @returns {number|null} seconds at which a clip stood before a reload, told once; null after anything else */
export function momentBeforeReload(clip) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    sessionStorage.removeItem(KEY);
    const [navigation] = performance.getEntriesByType("navigation");
    return navigation?.type === "reload" && kept?.clip === clip && Number.isFinite(kept.time_s) ? kept.time_s : null;
  } catch {
    return null;
  }
}
