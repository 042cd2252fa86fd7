// The keyboard, and the sheet that explains it.

import { button, el } from "./dom.js";

/** What each key does: keys as browsers name them, words for the sheet, and the deed. */
const KEYS = [
  { keys: [" ", "k"], shown: "Space", words: "play or pause", run: (p) => p.togglePlay() },
  { keys: ["ArrowLeft"], shown: "← →", words: "one second back or forward; with Shift five", run: (p, e) => p.step(e.shiftKey ? -5 : -1) },
  { keys: ["ArrowRight"], run: (p, e) => p.step(e.shiftKey ? 5 : 1) },
  { keys: [","], shown: ", .", words: "one frame back or forward", run: (p) => p.stepFrames(-1) },
  { keys: ["."], run: (p) => p.stepFrames(1) },
  { keys: ["Home"], shown: "Home End", words: "to the beginning or the end", run: (p) => p.seek(0) },
  { keys: ["End"], run: (p) => p.seek(p.timeline.duration_s) },
  { keys: ["<"], shown: "< >", words: "slower or faster", run: (p) => p.changeSpeed(-1) },
  { keys: [">"], run: (p) => p.changeSpeed(1) },
  { keys: ["["], shown: "[ ]", words: "previous or next detection", run: (p) => p.go("detections", -1) },
  { keys: ["]"], run: (p) => p.go("detections", 1) },
  { keys: ["{"], shown: "{ }", words: "previous or next true segment", run: (p) => p.go("truth", -1) },
  { keys: ["}"], run: (p) => p.go("truth", 1) },
  { keys: ["e"], shown: "E Shift+E", words: "next or previous error", run: (p) => p.go("errors", 1) },
  { keys: ["E"], run: (p) => p.go("errors", -1) },
  { keys: ["Enter"], shown: "Enter", words: "play the selected segment", run: (p) => p.playSelected() },
  { keys: ["r"], shown: "R", words: "repeat the selected segment", run: (p) => p.toggleLoop() },
  { keys: ["+", "="], shown: "+ −", words: "zoom in or out", run: (p) => p.zoom(1.6) },
  { keys: ["-", "_"], run: (p) => p.zoom(1 / 1.6) },
  { keys: ["0"], shown: "0", words: "show the whole clip", run: (p) => p.timeline.fit() },
  { keys: ["z"], shown: "Z", words: "zoom to the selected segment", run: (p) => p.zoomToSelected() },
  { keys: ["m"], shown: "M", words: "sound on or off", run: (p) => p.toggleMute() },
  { keys: ["Escape"], shown: "Esc", words: "select nothing", run: (p) => p.select(null) },
  { keys: ["?"], shown: "?", words: "this sheet", run: (p) => p.help.toggle() },
];
const POINTER = [
  ["Click", "seek; on a segment, select it too"],
  ["Double click", "zoom to a segment"],
  ["Drag", "move along the clip"],
  ["Ctrl + wheel, pinch", "zoom"],
  ["Shift + wheel", "move along the clip"],
];
// Single letters that Streamlit would take for "rerun" and "clear cache".
const STREAMLIT = new Set(["r", "c"]);
const TYPING = "input:not([type=range]), textarea, select, [contenteditable=true], [role=combobox], [role=slider]";

const deepTarget = (event) => event.composedPath()[0] ?? event.target;

/** @returns {() => void} stops listening */
export function listenToKeys(player) {
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = deepTarget(event);
    if (target.matches?.(TYPING) || document.querySelector("[role=dialog]:not(.mv-help)")) return;
    // A focused button keeps its own keys.
    if ((event.key === " " || event.key === "Enter") && target.matches?.("button, a, summary")) return;
    if (player.help.isOpen && event.key === "Escape") return void player.help.toggle();
    const found = KEYS.find((entry) => entry.keys.includes(event.key));
    if (found || STREAMLIT.has(event.key)) event.stopPropagation();
    if (!found) return;
    event.preventDefault();
    found.run(player, event);
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}

/** The sheet of keys, over the player. */
export class Help {
  constructor() {
    const line = (shown, words) => [el("dt", {}, ...shown.split(" ").map((key) => el("kbd", {}, key))), el("dd", {}, words)];
    const keys = KEYS.filter((entry) => entry.shown).flatMap((entry) => line(entry.shown, entry.words));
    const pointer = POINTER.flatMap(([shown, words]) => [el("dt", {}, shown), el("dd", {}, words)]);
    const close = button("close-help", "Close", () => this.toggle(), "Close");
    this.root = el("div", { class: "mv-help", role: "dialog", "aria-label": "Keys of the player", hidden: true,
      "data-testid": "help" },
      el("div", { class: "mv-help-head" }, el("strong", {}, "Keys"), close),
      el("div", { class: "mv-help-body" }, el("dl", {}, ...keys), el("dl", {}, ...pointer)));
  }

  get isOpen() {
    return !this.root.hidden;
  }

  toggle() {
    this.root.hidden = !this.root.hidden;
  }
}
