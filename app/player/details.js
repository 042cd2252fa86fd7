// Beside the video: the selected segment with what speaks for it, and the list of detections.

import { classColour } from "./colours.js";
import { button, el, icon } from "./dom.js";
import { ERRORS, overlap } from "./errors.js";
import { formatStep, formatTime } from "./timeline.js";

const MOST_LISTED = 200;

const row = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
const seconds = (segment) => `${segment.start_s.toFixed(2)} – ${segment.end_s.toFixed(2)} s`;
const percent = (share) => `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
const lasting = (segment) => `${(segment.end_s - segment.start_s).toFixed(2)} s`;

export class Details {
  /** @param {Object} player gives `tour`, `choice`, `gateTrack`, `theme` */
  constructor(player) {
    this.player = player;
    this.card = el("section", { class: "mv-card", "data-testid": "details", "aria-label": "Selected segment" });
    this.count = el("span", { class: "mv-count" });
    this.list = el("div", { class: "mv-list", role: "listbox", "aria-label": "Detections, best first", "data-testid": "list" });
    this.listing = el("section", { class: "mv-listing" },
      el("div", { class: "mv-head" }, el("strong", {}, "Detections"), this.count), this.list);
    this.root = el("div", { class: "mv-panel" }, this.card, this.listing);
  }

  name(segment) {
    return this.data?.labels[segment.label] ?? String(segment.label);
  }

  swatch(segment, isTrue) {
    const colour = classColour(segment.label, this.player.theme);
    return el("span", { class: isTrue ? "mv-swatch mv-swatch-true" : "mv-swatch", style: `--swatch:${colour}` });
  }

  /** Take new data or another selection of what is shown. */
  show(data, selection) {
    Object.assign(this, { data, selection });
    this.fillList();
    this.fillCard();
  }

  /** Whether segments are on their way, so that none can be counted yet. */
  get waiting() {
    return this.player.sources.segments.state === "loading";
  }

  fillList() {
    const best = [...this.selection.detections].sort((a, b) => b.score - a.score);
    const { hiddenDetections } = this.selection;
    const weaker = Math.max(0, (this.data.total ?? 0) - this.data.detections.length);
    const counts = [`${best.length} shown`, hiddenDetections && `${hiddenDetections} hidden`, weaker && `${weaker} weaker left out`];
    this.count.textContent = this.waiting ? "" : counts.filter(Boolean).join(", ");
    this.count.title = weaker ? "Of so many detections in one clip the best alone are shown, and errors are told by them" : "";
    const items = best.slice(0, MOST_LISTED).map((segment) => {
      const item = el("button", { type: "button", class: "mv-item", role: "option", "data-id": segment.id,
        onmousedown: (event) => event.preventDefault(), onclick: () => this.player.tour.visit(segment) },
        this.swatch(segment), el("span", { class: "mv-item-name" }, this.name(segment)),
        segment.error ? el("span", { class: "mv-flag", title: ERRORS[segment.error].words }, icon("error", 12)) : el("span", {}),
        el("span", { class: "mv-item-time" }, formatTime(segment.start_s, 1)),
        el("span", { class: "mv-bar" }, el("span", { style: `width:${percent(segment.score)}` })),
        el("span", { class: "mv-item-score" }, segment.score.toFixed(2)));
      return item;
    });
    if (best.length > MOST_LISTED) items.push(el("div", { class: "mv-hint" }, `and ${best.length - MOST_LISTED} of lower score`));
    if (!best.length) items.push(el("div", { class: "mv-hint" },
      this.waiting ? "Loading …" : this.player.view?.run === null ? "There is no run that could detect." : "No detections are shown."));
    this.list.replaceChildren(...items);
  }

  fillCard() {
    const chosen = this.player.selectedSegment;
    this.root.classList.toggle("mv-has-selection", Boolean(chosen));
    if (!chosen) this.card.replaceChildren(...this.invitation());
    else this.card.replaceChildren(...(chosen.id.startsWith("t") ? this.aboutTrue(chosen) : this.aboutDetection(chosen)));
    // After the card, which may leave the list less room.
    for (const item of this.list.querySelectorAll(".mv-item")) {
      const mine = item.dataset.id === chosen?.id;
      item.setAttribute("aria-selected", String(mine));
      if (mine) this.reveal(item);
    }
  }

  /** Scroll the list itself, never the page. */
  reveal(item) {
    const { list } = this;
    const top = item.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + item.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top - list.clientHeight / 2;
    }
  }

  /** Nothing is selected: how to select, what the marks mean, and the gates of the whole clip. */
  invitation() {
    const { truth, detections } = this.selection;
    const { choice } = this.player;
    const missed = truth.filter((segment) => segment.error).length;
    const wrong = detections.filter((segment) => segment.error).length;
    const guide = [
      [el("span", { class: "mv-swatch mv-swatch-true mv-plain" }), `${truth.length} true segment${truth.length === 1 ? "" : "s"}`,
        choice.canErr ? `, ${missed} missed` : ""],
      [el("span", { class: "mv-swatch mv-plain" }), `${detections.length} detection${detections.length === 1 ? "" : "s"}`,
        choice.canErr ? `, ${wrong} wrong` : "", "; taller is surer"],
    ];
    if (choice.canErr) guide.push([el("span", { class: "mv-corner" }), "marks an error", el("span", { class: "mv-more" }, "; its kind is said when it is selected")]);
    if (choice.others.length) guide.push([el("span", { class: "mv-under" }), "is in one row only", el("span", { class: "mv-more" }, ": the others have none like it")]);
    const lines = this.waiting ? [] : guide.map(([mark, ...words]) => el("li", {}, mark, el("span", {}, ...words)));
    return [
      el("div", { class: "mv-head" }, el("strong", {}, "Nothing selected")),
      el("p", { class: "mv-hint mv-how" }, "Click a segment in a track or in the list to see what speaks for it. ",
        el("kbd", {}, "?"), " lists the keys."),
      el("div", { class: "mv-body mv-guide" }, el("ul", {}, ...lines), this.gates(null)),
    ];
  }

  head(segment, isTrue) {
    const { player } = this;
    const loop = button("loop", "Repeat this segment (R)", () => player.tour.toggleLoop(), icon("loop"));
    loop.setAttribute("aria-pressed", String(player.looping));
    const play = button("play-segment", "Play this segment (Enter)", () => player.tour.play(), icon("play"));
    loop.disabled = play.disabled = !player.playback.playable;
    return el("div", { class: "mv-head" },
      this.swatch(segment, isTrue),
      el("strong", { class: "mv-class" }, this.name(segment)),
      el("span", { class: "mv-kind" }, isTrue ? "true segment" : player.nameOfRow(segment)),
      el("span", { class: "mv-actions" },
        play, loop,
        button("zoom-segment", "Zoom to this segment (Z)", () => player.tour.zoom(), icon("fit")),
        button("unselect", "Select nothing (Esc)", () => player.tour.select(null), "✕")));
  }

  aboutDetection(segment) {
    const truth = this.data.truth.find((candidate) => candidate.id === segment.best_truth);
    const facts = [...row("Score", el("b", {}, segment.score.toFixed(3))), ...row("Time", seconds(segment)), ...row("Lasts", lasting(segment))];
    if (truth) facts.push(...row("Best true", this.link(truth)), ...row("tIoU", el("b", {}, segment.best_tiou.toFixed(2)), this.shift(segment, truth)));
    else if (this.data.truth.length) facts.push(...row("Best true", "none overlaps it"));
    return this.about(segment, facts, false, segment.error, this.player.explaining.panel.root);
  }

  aboutTrue(segment) {
    const best = this.selection.found.get(segment.id);
    const detection = best && this.data.detections.find((candidate) => candidate.id === best.id);
    const facts = [...row("Time", seconds(segment)), ...row("Lasts", lasting(segment))];
    if (segment.audibility !== null && segment.audibility !== undefined) {
      facts.push(...row("Audibility", `${segment.audibility.toFixed(2)}${segment.audibility === 0 ? " (makes no sound)" : ""}`));
    }
    if (detection) {
      facts.push(...row("Found by", this.link(detection, `${this.name(detection)} ${detection.score.toFixed(2)}`)),
        ...row("tIoU", el("b", {}, overlap(segment, detection).toFixed(2)), this.shift(detection, segment)));
    } else if (this.data.looked) facts.push(...row("Found by", "no shown detection of its class"));
    return this.about(segment, facts, true, segment.error);
  }

  about(segment, facts, isTrue, error, explained = null) {
    const flag = error ? this.flag(error) : null;
    const left = el("div", {}, this.hiddenNote(segment), el("dl", { class: "mv-facts" }, ...facts), flag);
    return [this.head(segment, isTrue), el("div", { class: "mv-body" }, left, this.gates(segment), explained)];
  }

  link(segment, text = this.name(segment)) {
    return el("button", { type: "button", class: "mv-link", onclick: () => this.player.tour.visit(segment) }, text,
      ` at ${formatTime(segment.start_s, 1)}`);
  }

  shift(detection, truth) {
    const signed = (value) => `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
    return el("span", { class: "mv-soft" },
      ` (start ${signed(detection.start_s - truth.start_s)} s, end ${signed(detection.end_s - truth.end_s)} s)`);
  }

  flag(kind) {
    const { name, words } = ERRORS[kind];
    return el("p", { class: "mv-flagged" }, icon("error", 12), ` Error, ${name}: ${words}.`);
  }

  hiddenNote(segment) {
    return this.player.choice.isShown(segment) ? null : el("p", { class: "mv-hint" }, "Hidden in the tracks by the score threshold or the classes chosen.");
  }

  /** Mean gate per level, inside the segment or (null) the whole clip, as bars from 0 to 1. */
  gates(segment) {
    const track = this.player.gateTrack;
    if (!track.levels.length) return null;
    const means = segment ? track.meansWithin(segment.start_s, segment.end_s) : track.meansWithin(0, Infinity);
    const bars = means.flatMap(({ step_s, mean }, level) => [
      el("span", { class: "mv-bar-name" }, `L${level}`, el("i", {}, ` ${formatStep(step_s)}`)),
      el("span", { class: "mv-bar" }, el("span", { style: `width:${percent(mean)}` })),
      el("span", { class: "mv-bar-value" }, mean.toFixed(2)),
    ]);
    const where = segment ? "inside the segment" : "over the whole clip";
    const title = `Mean gate ${where}, per level: 0 shuts sound out, 1 lets it replace the picture`;
    const head = `Mean gate ${segment ? "inside" : "of the clip"}, 0 to 1`;
    return el("div", { class: "mv-gates", title }, el("div", { class: "mv-bars-head" }, head), ...bars);
  }
}
