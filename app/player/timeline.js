// The time axis: which part of the clip is in view, and how seconds become pixels.

const MIN_SPAN_S = 0.25;
const STEPS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

export class Timeline {
  /** @param {() => void} onChange called after the window in view has moved */
  constructor(onChange) {
    this.onChange = onChange;
    this.duration_s = 1;
    this.start_s = 0;
    this.end_s = 1;
  }

  setDuration(duration_s) {
    this.duration_s = duration_s > 0 ? duration_s : 1;
    this.fit();
  }

  get span_s() {
    return this.end_s - this.start_s;
  }

  get isFit() {
    return this.span_s >= this.duration_s - 1e-9;
  }

  /** Move the window, kept inside the clip and no shorter than a few frames. */
  show(start_s, end_s) {
    const span_s = Math.min(this.duration_s, Math.max(Math.min(MIN_SPAN_S, this.duration_s), end_s - start_s));
    const first_s = Math.min(Math.max(0, start_s), this.duration_s - span_s);
    if (first_s === this.start_s && first_s + span_s === this.end_s) return;
    this.start_s = first_s;
    this.end_s = first_s + span_s;
    this.onChange();
  }

  fit() {
    this.start_s = 0;
    this.end_s = this.duration_s;
    this.onChange();
  }

  /** Zoom so that `time_s` stays where it is on the screen; factor above 1 shows less. */
  zoomAt(time_s, factor) {
    const span_s = Math.min(this.duration_s, Math.max(Math.min(MIN_SPAN_S, this.duration_s), this.span_s / factor));
    const share = (time_s - this.start_s) / this.span_s;
    this.show(time_s - share * span_s, time_s + (1 - share) * span_s);
  }

  pan(delta_s) {
    this.show(this.start_s + delta_s, this.start_s + delta_s + this.span_s);
  }

  /** Turn the page when `time_s` has left the window, as while playing. */
  follow(time_s) {
    if (time_s >= this.start_s && time_s <= this.end_s) return;
    this.show(time_s - 0.05 * this.span_s, time_s + 0.95 * this.span_s);
  }

  /** Show a whole segment with some room around it if it is not in view yet. */
  reveal(start_s, end_s) {
    if (start_s >= this.start_s && end_s <= this.end_s) return;
    const span_s = Math.max(this.span_s, (end_s - start_s) * 1.4);
    const middle_s = (start_s + end_s) / 2;
    this.show(middle_s - span_s / 2, middle_s + span_s / 2);
  }

  toX(time_s, width) {
    return ((time_s - this.start_s) / this.span_s) * width;
  }

  toTime(x, width) {
    return this.start_s + (x / width) * this.span_s;
  }
}

/** @returns {{step_s: number, minor_s: number}} spacing of labelled and of small ticks */
export function tickSteps(span_s, width, minimumPixels = 80) {
  const wanted = (span_s * minimumPixels) / Math.max(width, 1);
  const step_s = STEPS_S.find((step) => step >= wanted) ?? STEPS_S[STEPS_S.length - 1];
  const thirds = [15, 30, 900, 1800].includes(step_s);
  return { step_s, minor_s: step_s / (thirds ? 3 : 5) };
}

/** "1:02.5"; hours only where there are any. */
export function formatTime(time_s, decimals = 2) {
  const scale = 10 ** decimals;
  const total = Math.round(Math.max(0, time_s) * scale) / scale;
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = (total % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

export function decimalsFor(step_s) {
  if (step_s >= 1) return 0;
  return step_s >= 0.1 ? 1 : 2;
}

/** "0.13 s", "2.1 s", "34 s" */
export function formatStep(step_s) {
  if (step_s < 1) return `${step_s.toFixed(2)} s`;
  return `${step_s < 10 ? step_s.toFixed(1) : Math.round(step_s)} s`;
}
