// In the details of a detection: how much of it came from sound and how much from sight, or the way to ask.

import { signed } from "./attribution.js";
import { button, el } from "./dom.js";

const percent = (share) => `${Math.round(100 * share)} %`;
const INTRODUCTION = "Which sound and which pictures this detection rests on.";

export class ExplanationPanel {
  /** @param {Explained} explained what is shown */
  constructor(explained) {
    this.explained = explained;
    this.root = el("div", { class: "mv-explained", "data-testid": "explained" });
  }

  fill() {
    const { state } = this.explained;
    this.root.hidden = state === "none" || state === "asking";
    this.root.replaceChildren(...(this.root.hidden ? [] : this[state]()));
  }

  ask(words, label) {
    return el("button", { type: "button", class: "mv-button mv-primary mv-ask", "data-testid": "explain", title: words,
      onmousedown: (event) => event.preventDefault(), onclick: () => this.explained.begin() }, label);
  }

  missing() {
    return [this.ask(`${INTRODUCTION} (I)`, "Explain this detection")];
  }

  failed() {
    return [el("p", { class: "mv-flagged", role: "alert" }, `It could not be explained: ${this.explained.error}`),
      this.ask(INTRODUCTION, "Try again")];
  }

  working() {
    const { share, stage } = this.explained;
    return [
      el("div", { class: "mv-bars-head", role: "status" }, `Explaining: ${stage} …`),
      el("div", { class: "mv-progress", role: "progressbar", "aria-label": "Explaining", "aria-valuemin": 0, "aria-valuemax": 100,
        "aria-valuenow": Math.round(100 * share) }, el("span", { style: `width:${percent(share).replace(" ", "")}` })),
      button("stop-explaining", "Stop explaining", () => this.explained.stop(), "Cancel"),
    ];
  }

  ready() {
    const { meta } = this.explained.value;
    const share = meta.audio_share;
    if (share === null) return [el("div", { class: "mv-bars-head" }, "Neither sound nor sight sets it apart from the baseline.")];
    const range = meta.share_range ?? [share, share];
    const bars = [
      this.bar("Sound", share, range, meta.audio_value, meta),
      this.bar("Sight", 1 - share, [1 - range[1], 1 - range[0]], meta.vision_value, meta),
    ];
    const doubts = (meta.doubts ?? []).join(" ");
    return [
      el("div", { class: "mv-bars-head" }, `Rests on (${meta.quantity}, level ${meta.level})`),
      ...bars.flat(),
      el("p", { class: "mv-hint mv-compared" }, `against ${meta.audio_baseline} and ${meta.vision_baseline}`,
        meta.share_range ? `; the line spans ${meta.baselines} baselines` : ""),
      doubts ? el("p", { class: "mv-hint mv-doubt", title: doubts }, `⚠ Do not read too much into this: ${doubts}`) : null,
    ].filter(Boolean);
  }

  /** Share as a bar, from the least to the most over other baselines as a line over it. */
  bar(name, share, [low, high], value, meta) {
    const spans = `${percent(low)} to ${percent(high)} over ${meta.baselines} baselines`;
    return [
      el("span", { class: "mv-bar-name" }, name),
      el("span", { class: "mv-bar mv-share", title: `${name}: ${percent(share)} (${spans}); ${signed(value)} ${meta.quantity}` },
        el("span", { style: `width:${(100 * share).toFixed(1)}%` }),
        el("i", { style: `left:${(100 * low).toFixed(1)}%;width:${(100 * (high - low)).toFixed(1)}%` })),
      el("span", { class: "mv-bar-value" }, percent(share)),
    ];
  }
}
