// Mel spectrogram with frequency ticks.

import { lookupTable } from "./colours.js";
import { button } from "./dom.js";
import { TilePyramid } from "./tiles.js";
import { Track, gutterLabel } from "./track.js";

const TICKS_HZ = [100, 250, 500, 1000, 2000, 4000, 8000, 16000];
const MAGMA = lookupTable("magma");
const DARKEST = 0.75; // where sound did not matter at all
// Black that lets the more through the larger the value.
const VEIL = Uint32Array.from({ length: 256 }, (_, value) => (Math.round((255 - value) * DARKEST) << 24) >>> 0);

const formatHertz = (hertz) => (hertz < 1000 ? `${Math.round(hertz)} Hz` : `${+(hertz / 1000).toFixed(1)} kHz`);

export class SpectrogramTrack extends Track {
  constructor(player) {
    super("spectrogram", "Spectrum", "mel spectrogram: sound energy per mel frequency band; brighter is louder", player);
    this.shading = button("shade", "Darken the spectrum where it did not matter for the explained detection (A)",
      () => this.toggleShade(), "Shaded");
    this.shading.classList.add("mv-small");
    this.shading.hidden = true;
    this.shaded = true;
    this.explained = false;
    this.veil = null;
    this.extras.append(this.shading);
    this.showShade();
  }

  get fullHeight() {
    return 84;
  }

  get leastHeight() {
    return 58;
  }

  load(sources) {
    const source = sources.signal;
    this.pyramid = null;
    const silent = "This clip has no sound.";
    const missing = this.player.clip?.video_url === null ? "This clip has features only, no video to hear." : silent;
    if (!this.waitFor(source, missing)) return void this.offerShade();
    const { arrays, meta } = source.value;
    const [bands, columns] = arrays.mel?.shape ?? [0, 0];
    if (!columns) this.say(silent);
    this.offerShade();
    if (!columns) return;
    this.meta = meta;
    this.bands = bands;
    this.values = arrays.mel.values;
    this.columns = columns;
    this.pyramid = new TilePyramid(this.values, bands, columns, MAGMA);
  }

  /** Darken by the sound's part of an explanation. @param {Object|null} found of the attribution track */
  shadeBy(found) {
    this.veil = null;
    this.explained = Boolean(found);
    this.offerShade();
    if (!found) return;
    const { audio } = found.values;
    const most = audio.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    const bytes = Uint8Array.from(audio, (value) => (most ? Math.round((255 * Math.abs(value)) / most) : 255));
    const { first_s, step_s } = found.meta;
    this.veil = { pyramid: new TilePyramid(bytes, 1, bytes.length, VEIL), first_s: first_s - step_s / 2, step_s };
  }

  /** Only a spectrum that is there can be darkened. */
  offerShade() {
    this.shading.hidden = !this.explained || Boolean(this.message);
  }

  toggleShade() {
    this.shaded = !this.shaded;
    this.showShade();
    this.player.stage.invalidate();
  }

  showShade() {
    this.shading.setAttribute("aria-pressed", String(this.shaded));
  }

  /** Time of the left edge of the first column; the stored times are of column centres. */
  get first_s() {
    return this.meta.mel_start_s - this.meta.mel_hop_s / 2;
  }

  draw(context, frame) {
    context.save();
    context.clip(frame.clip);
    this.pyramid.draw(context, frame, this.first_s, this.meta.mel_hop_s, 2, frame.height - 4, true);
    if (this.veil && this.shaded) {
      this.veil.pyramid.draw(context, frame, this.veil.first_s, this.veil.step_s, 2, frame.height - 4, true);
    }
    context.restore();
    let below = Infinity;
    for (const hertz of TICKS_HZ) {
      const y = this.yOf(hertz, frame.height);
      if (y === null || y > below - 13) continue;
      below = y;
      gutterLabel(context, frame, formatHertz(hertz), Math.min(frame.height - 7, Math.max(7, y)));
      context.fillStyle = frame.theme.muted;
      context.fillRect(frame.left - 4, Math.round(y) - 0.5, 4, 1);
    }
  }

  /** Height at which a frequency lies, between the centres of its bands. */
  yOf(hertz, height) {
    const centres = this.meta.mel_frequencies_hz;
    const above = centres.findIndex((centre) => centre >= hertz);
    if (above < 0) return null;
    const share = above ? (hertz - centres[above - 1]) / (centres[above] - centres[above - 1]) : 0;
    const band = Math.max(0, above - 1) + share;
    return 2 + (height - 4) * (1 - (band + 0.5) / this.bands);
  }

  readings(time_s, y) {
    if (!this.drawable) return [];
    const column = Math.min(this.columns - 1, Math.max(0, Math.floor((time_s - this.first_s) / this.meta.mel_hop_s)));
    const at = (band) => this.values[band * this.columns + column];
    let band = 0;
    if (y === null) {
      for (let other = 1; other < this.bands; other += 1) if (at(other) > at(band)) band = other;
    } else {
      const share = 1 - (y - 2) / (this.fullHeight - 4);
      band = Math.min(this.bands - 1, Math.max(0, Math.floor(share * this.bands)));
    }
    const [low, high] = this.meta.mel_db_range;
    const decibels = low + (at(band) / 255) * (high - low);
    const text = `${formatHertz(this.meta.mel_frequencies_hz[band])}: ${decibels.toFixed(0)} dB`;
    return [{ y: y ?? this.fullHeight / 2, text: y === null ? `loudest ${text}` : text }];
  }
}
