// The sheet that explains keys and pointer.

import { button, el } from "./dom.js";
import { KEYS } from "./keys.js";

const POINTER = [
  ["Click", "seek; on a segment, select it too"],
  ["Double click", "zoom to a segment"],
  ["Drag", "move along the clip"],
  ["Ctrl + wheel", "zoom; so does a pinch"],
  ["Shift + wheel", "move along the clip"],
];

const caps = (shown) => shown.split(" ").map((key) => el("kbd", {}, key));
const line = (keys, words) => [el("dt", {}, ...keys), el("dd", {}, words)];
const part = (title, lines) => el("section", {}, el("h4", {}, title), el("dl", {}, ...lines));

export class Help {
  constructor() {
    const parts = Object.entries(KEYS).map(([title, entries]) =>
      part(title, entries.filter((entry) => entry.shown).flatMap((entry) => line(caps(entry.shown), entry.words))));
    parts.push(part("Pointer", POINTER.flatMap(([what, words]) => line([what], words))));
    this.closing = button("close-help", "Close (Esc)", () => this.toggle(), "Close");
    this.root = el("div", { class: "mv-help", role: "dialog", "aria-label": "Keys of the player", hidden: true,
      "data-testid": "help" },
      el("div", { class: "mv-help-head" }, el("strong", {}, "Keys and pointer"), this.closing),
      el("div", { class: "mv-help-body" }, ...parts));
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** Open with the focus on the button that closes, and give the focus back afterwards. */
  toggle() {
    this.root.hidden = !this.root.hidden;
    if (this.isOpen) {
      this.before = this.root.getRootNode().activeElement;
      this.closing.focus({ preventScroll: true });
    } else this.before?.focus?.({ preventScroll: true });
  }
}
