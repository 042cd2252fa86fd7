// The video element and everything that moves its time: playing, seeking, repeating a segment.

import { button, el, icon } from "./dom.js";
import { SPEEDS } from "./transport.js";

/** Calls `onFrame(time_s)` for every frame shown. @returns {() => void} stops it */
function watchFrames(video, onFrame) {
  let stopped = false;
  if (video.requestVideoFrameCallback) {
    const shown = (_now, frame) => {
      if (stopped) return;
      onFrame(frame.mediaTime);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  } else {
    // Browsers without it: look at the clock at every frame of the screen.
    let last = -1;
    const look = () => {
      if (stopped) return;
      if (video.readyState >= 2 && video.currentTime !== last) onFrame((last = video.currentTime));
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }
  return () => (stopped = true);
}

export class Playback {
  /**
   * @param {Object} host gives `clip`, `settings`, `remember()`, and hears `onTime(turnPage)`, `onStopped()`,
   *   `onSound()`, `onPlaying(playing)`, `onPicture()`
   */
  constructor(host) {
    this.host = host;
    this.range = null; // the segment after which playing stops or begins again
    this.looping = false;
    this.around = false; // whether a second before and after it is repeated with a segment
    this.duration_s = 0;
    this.video = el("video", { class: "mv-video", playsinline: true, preload: "auto", "data-testid": "video" });
    this.video.volume = host.settings.volume;
    this.video.muted = host.settings.muted;
    this.trouble = el("div", { class: "mv-trouble", role: "alert", hidden: true }, el("span", {}),
      button("retry-video", "Load the video again", () => this.load(), "Retry"));
    this.nothing = el("p", { class: "mv-nothing", "data-testid": "no-video", hidden: true },
      "This clip has features only, no video to show.");
    const big = button("big-play", "Play (Space)", () => this.toggle(), icon("play", 34));
    this.screen = el("div", { class: "mv-screen mv-fresh" }, this.video, big, this.nothing, this.trouble);
    this.stopWatching = watchFrames(this.video, (time_s) => this.onFrame(time_s));
    this.listeners = {
      play: () => this.onPlayState(),
      pause: () => this.onPlayState(),
      ended: () => this.onEnded(),
      emptied: () => host.onPlaying(this.playing),
      volumechange: () => host.onSound(),
      loadedmetadata: () => this.onMetadata(),
      loadeddata: () => host.onPicture(),
      canplay: () => host.onTime(false),
      seeked: () => this.onSeeked(),
      click: () => this.toggle(),
      error: () => this.onError(),
    };
    for (const [name, listener] of Object.entries(this.listeners)) this.video.addEventListener(name, listener);
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  get time_s() {
    return this.wanted_s ?? this.shown_s ?? 0;
  }

  /** Whether there is anything to play. */
  get playable() {
    return Boolean(this.host.clip?.video_url);
  }

  /** Whether there is a picture, or a sentence that says why there is none. */
  get settled() {
    return this.video.readyState >= 2 || !this.trouble.hidden || !this.playable;
  }

  /** Forget the last clip. */
  reset(duration_s) {
    Object.assign(this, { duration_s, range: null, looping: false, wanted_s: 0, shown_s: null, arriving: true });
    this.screen.classList.add("mv-fresh");
  }

  load() {
    const { video_url, poster_url } = this.host.clip;
    this.trouble.hidden = true;
    // Loading begins at zero; a second try returns to where we were.
    Object.assign(this, { wanted_s: this.time_s, passed_s: NaN, arriving: true });
    this.screen.classList.toggle("mv-no-video", !video_url);
    this.nothing.hidden = this.playable;
    // A sentence needs less room than a picture.
    if (!this.playable) this.aspect = 0.75;
    this.host.onSound();
    this.host.onPlaying(false);
    if (poster_url) this.video.poster = poster_url;
    else this.video.removeAttribute("poster");
    if (video_url) this.video.src = video_url;
    else this.video.removeAttribute("src");
    this.video.load();
  }

  onMetadata() {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth && videoHeight) this.aspect = Math.min(2.4, Math.max(0.5625, videoWidth / videoHeight));
    if (this.wanted_s > 0) this.video.currentTime = this.wanted_s;
    else this.arriving = false;
    this.host.onPicture();
  }

  /** The frame sought may have been shown before this is told. */
  onSeeked() {
    if (this.video.seeking) return;
    this.arriving = false;
    const frame_s = 1 / (this.host.clip?.frames_per_second || 30);
    if (this.wanted_s !== null && Math.abs(this.passed_s - this.wanted_s) <= frame_s) this.onFrame(this.passed_s);
    this.host.onTime(false);
  }

  onFrame(time_s) {
    this.passed_s = time_s;
    // Frames on the way, such as the first one of a video that is to begin elsewhere, are not where we are.
    if (this.arriving || this.video.seeking) return;
    this.wanted_s = null;
    this.shown_s = time_s;
    const half_s = 0.5 / (this.host.clip?.frames_per_second || 30);
    if (this.range && !this.video.paused && time_s + half_s >= this.range.end_s) this.leaveRange(time_s);
    this.host.onTime(!this.video.paused);
  }

  /** The segment that was to be played is over: begin it again or stop. */
  leaveRange(time_s) {
    const { start_s, end_s } = this.range;
    if (this.looping) return void (this.video.currentTime = start_s);
    const frame_s = 1 / (this.host.clip?.frames_per_second || 30);
    this.range = null;
    this.video.pause();
    // A busy machine shows frames late, so the video may have run well past the end.
    if (time_s > end_s + 1.5 * frame_s) this.seek(end_s);
  }

  /** The end of the video may come before any frame that tells of the end of the segment. */
  onEnded() {
    if (this.range) {
      this.leaveRange(this.video.currentTime);
      if (this.looping) this.play();
    }
    this.onPlayState();
  }

  onPlayState() {
    const { playing } = this;
    if (playing) this.screen.classList.remove("mv-fresh");
    this.host.onPlaying(playing);
    if (!playing) this.host.onStopped();
  }

  onError() {
    if (!this.playable || !this.video.error) return;
    const words = this.video.error.code === 4 ? "is not there or has a format this browser cannot play" : "could not be loaded";
    this.trouble.firstChild.textContent = `The video ${words}.`;
    this.trouble.hidden = false;
    this.host.onPicture();
  }

  seek(time_s) {
    const last_s = Math.max(0, this.duration_s - 0.001);
    this.wanted_s = Math.min(last_s, Math.max(0, time_s));
    const outside = this.range && (this.wanted_s < this.range.start_s - 0.01 || this.wanted_s > this.range.end_s);
    if (outside) this.range = null;
    if (this.wanted_s > 0) this.screen.classList.remove("mv-fresh");
    this.arriving = true;
    if (this.video.readyState > 0) this.video.currentTime = this.wanted_s;
  }

  /** Time of the frame `count` frames away; its middle, so that rounding never shows a neighbour. */
  frameAway(count) {
    const rate = this.host.clip?.frames_per_second || 30;
    return (Math.floor(this.time_s * rate + 1e-3) + count + 0.5) / rate;
  }

  play() {
    this.video.play().catch(() => this.onError());
  }

  toggle() {
    if (!this.video.paused) return void this.video.pause();
    if (this.video.ended) this.seek(0);
    this.play();
  }

  changeSpeed(way) {
    const place = SPEEDS.indexOf(this.video.playbackRate);
    const next = Math.min(SPEEDS.length - 1, Math.max(0, (place < 0 ? SPEEDS.indexOf(1) : place) + way));
    return (this.video.playbackRate = SPEEDS[next]);
  }

  setVolume(volume) {
    this.video.muted = volume === 0;
    if (volume > 0) this.video.volume = volume;
    this.host.remember({ volume: this.video.volume, muted: volume === 0 });
  }

  toggleMute() {
    this.video.muted = !this.video.muted;
    this.host.remember({ muted: this.video.muted });
  }

  close() {
    this.stopWatching();
    for (const [name, listener] of Object.entries(this.listeners)) this.video.removeEventListener(name, listener);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
