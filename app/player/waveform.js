// Waveform: smallest and largest sample per bin, kept at several resolutions.

import { Track, gutterLabel } from "./track.js";

const POOL = 2; // bins that become one at the next coarser resolution: at most as many to a pixel

function coarser({ low, high, hop_s }) {
  const count = Math.ceil(low.length / POOL);
  const next = { low: new Float32Array(count), high: new Float32Array(count), hop_s: hop_s * POOL };
  for (let bin = 0; bin < count; bin += 1) {
    let least = Infinity;
    let most = -Infinity;
    for (let k = bin * POOL; k < Math.min(low.length, (bin + 1) * POOL); k += 1) {
      if (low[k] < least) least = low[k];
      if (high[k] > most) most = high[k];
    }
    next.low[bin] = least;
    next.high[bin] = most;
  }
  return next;
}

export class WaveformTrack extends Track {
  constructor(player) {
    super("waveform", "Waveform", "smallest and largest sample at each moment", player);
  }

  get fullHeight() {
    return 44;
  }

  get leastHeight() {
    return 34;
  }

  load(sources) {
    const source = sources.signal;
    this.levels = null;
    const silent = "This clip has no sound.";
    const missing = this.player.clip?.video_url === null ? "This clip has features only, no video to hear." : silent;
    if (!this.waitFor(source, missing)) return;
    const { arrays, meta } = source.value;
    if (!arrays.waveform_min?.values.length) return void this.say(silent);
    const finest = { low: arrays.waveform_min.values, high: arrays.waveform_max.values, hop_s: meta.waveform_hop_s };
    this.levels = [finest];
    while (this.levels[this.levels.length - 1].low.length > 512) {
      this.levels.push(coarser(this.levels[this.levels.length - 1]));
    }
    const last = this.levels[this.levels.length - 1];
    this.peak = Math.max(1e-4, ...last.high, ...last.low.map((value) => -value));
  }

  draw(context, frame) {
    const { theme, view } = frame;
    const middle = frame.height / 2;
    const half = (frame.height - 8) / 2;
    const perPixel_s = view.span_s / (frame.width * frame.ratio);
    const level = this.levels.findLast((candidate) => candidate.hop_s <= perPixel_s) ?? this.levels[0];
    const { low, high, hop_s } = level;
    const from = Math.max(0, Math.floor(view.start_s / hop_s) - 1);
    const to = Math.min(low.length, Math.ceil(view.end_s / hop_s) + 1);
    context.fillStyle = theme.line;
    context.fillRect(frame.left, middle - 0.5, frame.width, 1);
    context.beginPath();
    const scale = half / this.peak;
    for (let bin = from; bin < to; bin += 1) {
      const x = frame.x((bin + 0.5) * hop_s);
      if (bin === from) context.moveTo(x, middle - high[bin] * scale - 0.4);
      else context.lineTo(x, middle - high[bin] * scale - 0.4);
    }
    for (let bin = to - 1; bin >= from; bin -= 1) {
      context.lineTo(frame.x((bin + 0.5) * hop_s), middle - low[bin] * scale + 0.4);
    }
    context.closePath();
    context.save();
    context.clip(frame.clip);
    context.fillStyle = theme.dark ? "#6fb3e8" : "#2f7fbf";
    context.fill();
    context.restore();
    gutterLabel(context, frame, `±${this.peak.toFixed(2)}`, frame.height - 10);
  }

  readings(time_s) {
    if (!this.drawable) return [];
    const { low, high, hop_s } = this.levels[0];
    const bin = Math.min(low.length - 1, Math.floor(time_s / hop_s));
    return [{ y: this.fullHeight / 2, text: `peak ${Math.max(-low[bin], high[bin], 0).toFixed(2)}` }];
  }
}
