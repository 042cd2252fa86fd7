// The keyboard.

/** What each key does, by purpose: keys as browsers name them, as the sheet shows them, words, and the deed. */
export const KEYS = {
  Playing: [
    { keys: [" ", "k"], shown: "Space", words: "play or pause", run: (p) => p.playback.toggle() },
    { keys: ["ArrowLeft"], shown: "← →", words: "one second back or forward", run: (p, e) => p.step(e.shiftKey ? -5 : -1) },
    { keys: ["ArrowRight"], shown: "Shift ← →", words: "five seconds", run: (p, e) => p.step(e.shiftKey ? 5 : 1) },
    { keys: [","], shown: ", .", words: "one frame back or forward", run: (p) => p.stepFrames(-1) },
    { keys: ["."], run: (p) => p.stepFrames(1) },
    { keys: ["Home"], shown: "Home End", words: "to the beginning or the end", run: (p) => p.seek(0) },
    { keys: ["End"], run: (p) => p.seek(p.timeline.duration_s) },
    { keys: ["<"], shown: "< >", words: "slower or faster", run: (p) => p.changeSpeed(-1) },
    { keys: [">"], run: (p) => p.changeSpeed(1) },
    { keys: ["m"], shown: "M", words: "sound on or off", run: (p) => p.playback.toggleMute() },
  ],
  Segments: [
    { keys: ["["], shown: "[ ]", words: "previous or next detection", run: (p) => p.tour.go("detections", -1) },
    { keys: ["]"], run: (p) => p.tour.go("detections", 1) },
    { keys: ["{"], shown: "{ }", words: "previous or next true segment", run: (p) => p.tour.go("truth", -1) },
    { keys: ["}"], run: (p) => p.tour.go("truth", 1) },
    { keys: ["e"], shown: "E", words: "next error; with Shift the previous one", run: (p) => p.tour.go("errors", 1) },
    { keys: ["E"], run: (p) => p.tour.go("errors", -1) },
    { keys: ["x"], shown: "X", words: "choose the kind of error to go to", run: (p) => p.chooseErrors(1) },
    { keys: ["X"], run: (p) => p.chooseErrors(-1) },
    { keys: ["Enter"], shown: "Enter", words: "play the selected segment", run: (p) => p.tour.play() },
    { keys: ["r"], shown: "R", words: "repeat the selected segment", run: (p) => p.tour.toggleLoop() },
    { keys: ["R"], shown: "Shift R", words: "repeat it with one second around it", run: (p) => p.tour.toggleLoop(true) },
    { keys: ["Escape"], shown: "Esc", words: "select nothing", run: (p) => p.tour.select(null) },
  ],
  "Several rows": [
    { keys: ["b"], shown: "B", words: "the same without sound beside it, or no longer", run: (p) => p.askBeside() },
    { keys: ["("], shown: "( )", words: "previous or next detection of the rows beside", run: (p) => p.tour.go("others", -1) },
    { keys: [")"], run: (p) => p.tour.go("others", 1) },
    { keys: ["d"], shown: "D", words: "next difference; with Shift the previous one", run: (p) => p.tour.go("differences", 1) },
    { keys: ["D"], run: (p) => p.tour.go("differences", -1) },
  ],
  Explaining: [
    { keys: ["i"], shown: "I", words: "explain the selected detection", run: (p) => p.explaining.begin() },
    { keys: ["a"], shown: "A", words: "shade the spectrum by what mattered, or no longer", run: (p) => p.melTrack.toggleShade() },
  ],
  Timeline: [
    { keys: ["+", "="], shown: "+ −", words: "zoom in or out", run: (p) => p.zoom(1.6) },
    { keys: ["-", "_"], run: (p) => p.zoom(1 / 1.6) },
    { keys: ["0"], shown: "0", words: "show the whole clip", run: (p) => p.timeline.fit() },
    { keys: ["z"], shown: "Z", words: "zoom to the selected segment", run: (p) => p.tour.zoom() },
    { keys: ["?"], shown: "?", words: "this sheet", run: (p) => p.help.toggle() },
  ],
};
const ALL = Object.values(KEYS).flat();
// Single letters that Streamlit would take for "rerun" and "clear cache".
const STREAMLIT = new Set(["r", "c"]);
const TYPING = "input, textarea, select, [contenteditable=true], [role=combobox], [role=slider]";

// Inside shadow roots the window only sees their hosts.
const deepTarget = (event) => event.composedPath()[0] ?? event.target;

/** Whether keys belong to a control of the page; only the player's own loudness leaves them to us. */
function isTyping(target, player) {
  const ours = target.type === "range" && player.root.contains(target);
  return !ours && Boolean(target.matches?.(TYPING));
}

/** @returns {() => void} stops listening */
export function listenToKeys(player) {
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = deepTarget(event);
    if (isTyping(target, player) || document.querySelector("[role=dialog]:not(.mv-help)")) return;
    // A focused button keeps its own keys.
    if ((event.key === " " || event.key === "Enter") && target.matches?.("button, a, summary")) return;
    if (player.help.isOpen && event.key === "Escape") return void player.help.toggle();
    const found = ALL.find((entry) => entry.keys.includes(event.key));
    if (found || STREAMLIT.has(event.key)) event.stopPropagation();
    if (!found) return;
    event.preventDefault();
    found.run(player, event);
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
