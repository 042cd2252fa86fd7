// The line of controls between the video and the tracks.

import { button, el, icon } from "./dom.js";
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
    const group = (label, ...items) => el("span", { class: "mv-group", role: "group", "aria-label": label }, ...items);
    this.errorCount = el("span", { class: "mv-soft mv-error-count", "data-testid": "error-count" });
    this.errors = group("Errors",
      button("previous-error", "Previous error (Shift+E)", () => player.tour.go("errors", -1), icon("previous", 12), icon("error", 13)),
      button("next-error", "Next error (E)", () => player.tour.go("errors", 1), icon("error", 13), icon("next", 12)),
      this.errorCount);
    this.root = el("div", { class: "mv-transport", role: "toolbar", "aria-label": "Playback" },
      group("Playback",
        button("previous", "Previous detection ([)", () => player.tour.go("detections", -1), icon("previous")),
        this.play,
        button("next", "Next detection (])", () => player.tour.go("detections", 1), icon("next")),
        this.loop),
      this.clock, this.speed, group("Sound", this.mute, this.volume), this.errors,
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

  showLoop(looping, possible) {
    this.loop.disabled = !possible;
    this.loop.setAttribute("aria-pressed", String(looping));
  }

  showPlaying(playing) {
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.title = playing ? "Pause (Space)" : "Play (Space)";
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

  showErrors(count, known) {
    this.errors.hidden = !known;
    this.errorCount.textContent = known ? `${count} error${count === 1 ? "" : "s"}` : "";
  }
}
