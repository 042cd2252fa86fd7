// The line of controls between the video and the tracks.

import { button, el, icon } from "./dom.js";
import { ERRORS } from "./errors.js";
import { formatTime } from "./timeline.js";

export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4];

export class Transport {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.play = button("play", "Play (Space)", () => player.playback.toggle(), icon("play"));
    this.play.classList.add("mv-primary");
    this.clock = el("span", { class: "mv-clock", "data-testid": "clock" });
    this.speed = el("select", { class: "mv-select", title: "Speed (< and >)", "aria-label": "Speed",
      "data-testid": "speed", onchange: () => (player.video.playbackRate = Number(this.speed.value)) },
      ...SPEEDS.map((speed) => el("option", { value: speed, selected: speed === 1 }, `${speed}×`)));
    this.mute = button("mute", "Sound on or off (M)", () => player.playback.toggleMute(), icon("sound"));
    this.volume = el("input", { class: "mv-volume", type: "range", min: 0, max: 1, step: 0.05, title: "Loudness",
      "aria-label": "Loudness", "data-testid": "volume", oninput: () => player.playback.setVolume(Number(this.volume.value)) });
    this.loop = button("loop-selected", "Repeat the selected segment (R)", () => player.tour.toggleLoop(), icon("loop"));
    this.around = button("loop-around", "Repeat it with one second around it (Shift+R)", () => player.tour.toggleLoop(true),
      icon("loopAround"));
    const group = (label, ...items) => el("span", { class: "mv-group", role: "group", "aria-label": label }, ...items);
    this.errorKind = el("select", { class: "mv-select", title: "Kind of error to go to (X)", "aria-label": "Kind of error",
      "data-testid": "error-kind", onchange: () => player.chooseErrors(this.errorKind.value) });
    this.errors = group("Errors", ...this.ways("error", "error", "errors", "E"), this.errorKind);
    this.differences = group("Differences", ...this.ways("difference", "differs", "differences", "D"),
      (this.differenceCount = el("span", { class: "mv-soft mv-count-of", "data-testid": "difference-count" })));
    this.root = el("div", { class: "mv-transport", role: "toolbar", "aria-label": "Playback" },
      group("Playback",
        button("previous", "Previous detection ([)", () => player.tour.go("detections", -1), icon("previous")),
        this.play,
        button("next", "Next detection (])", () => player.tour.go("detections", 1), icon("next")),
        this.loop, this.around),
      this.clock, this.speed, group("Sound", this.mute, this.volume), this.errors, this.differences,
      el("span", { class: "mv-space" }),
      group("Zoom",
        button("zoom-out", "Zoom out (−)", () => player.zoom(1 / 1.6), icon("zoomOut")),
        button("fit", "Show the whole clip (0)", () => player.timeline.fit(), icon("fit")),
        button("zoom-in", "Zoom in (+)", () => player.zoom(1.6), icon("zoomIn"))),
      button("show-help", "Keys (?)", () => player.help.toggle(), "?"));
  }

  showTime(time_s, duration_s) {
    const text = `${formatTime(time_s)} / ${formatTime(duration_s)}`;
    if (this.clock.textContent !== text) this.clock.textContent = text;
  }

  showSpeed(speed) {
    this.speed.value = String(speed);
  }

  /** Buttons to the previous and next of a kind. */
  ways(word, picture, kind, key) {
    const go = (way) => () => this.player.tour.go(kind, way);
    return [
      button(`previous-${word}`, `Previous ${word} (Shift+${key})`, go(-1), icon("previous", 12), icon(picture, 13)),
      button(`next-${word}`, `Next ${word} (${key})`, go(1), icon(picture, 13), icon("next", 12)),
    ];
  }

  showLoop({ looping, around }, possible) {
    for (const [knob, mine] of [[this.loop, !around], [this.around, around]]) {
      knob.disabled = !possible;
      knob.setAttribute("aria-pressed", String(looping && mine));
    }
  }

  /** @param {boolean} playable whether the clip has a video */
  showPlaying(playing, playable) {
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.title = !playable ? "This clip has no video" : playing ? "Pause (Space)" : "Play (Space)";
    this.play.disabled = !playable;
    this.speed.disabled = !playable;
    this.play.setAttribute("aria-label", this.play.title);
  }

  showSound(video, hasAudio) {
    const silent = video.muted || video.volume === 0 || !hasAudio;
    this.mute.replaceChildren(icon(silent ? "muted" : "sound"));
    this.mute.title = hasAudio ? "Sound on or off (M)" : "This clip has no sound";
    this.mute.disabled = !hasAudio;
    this.volume.disabled = !hasAudio;
    this.volume.value = String(video.muted ? 0 : video.volume);
  }

  /** How many errors there are of each kind, and which kind is chosen. @param {Choice} choice */
  showErrors(choice) {
    this.errors.hidden = !choice.canErr;
    const counts = choice.errorCounts;
    const options = Object.keys(counts).filter((kind) => kind === "any" || counts[kind] || kind === choice.kind);
    this.errorKind.replaceChildren(...options.map((kind) => el("option", { value: kind, selected: kind === choice.kind },
      kind === "any" ? `${counts.any} error${counts.any === 1 ? "" : "s"}` : `${counts[kind]} ${ERRORS[kind].name}`)));
    this.errorKind.value = choice.kind;
  }

  /** How many detections only one of the rows has. @param {Choice} choice */
  showDifferences(choice) {
    this.differences.hidden = !choice.others.length;
    const count = choice.pool("differences").length;
    this.differenceCount.textContent = `${count} difference${count === 1 ? "" : "s"}`;
  }
}
