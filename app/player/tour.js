// From segment to segment: select, go to, play and repeat.

const AROUND_S = 1; // before and after a segment that is repeated with what is around it

export class Tour {
  /** @param {Player} player whose `choice`, `playback`, `timeline` and `reporter` are moved together */
  constructor(player) {
    this.player = player;
  }

  /** @param {Object|null} segment null selects nothing */
  select(segment) {
    const { choice, playback, reporter } = this.player;
    const id = segment?.id ?? null;
    if (id === choice.id) return;
    choice.id = id;
    playback.range = playback.looping && segment ? this.range(segment) : null;
    if (!segment) playback.looping = false;
    this.player.showing.showChosen();
    reporter.tell();
  }

  /** Select a segment and bring playhead and window to it. */
  visit(segment) {
    if (!segment) return;
    this.select(segment);
    this.player.timeline.reveal(segment.start_s, segment.end_s);
    this.player.seek(segment.start_s);
  }

  /** Next (1) or previous (-1) of `detections`, `truth`, `errors`, `others` or `differences`. */
  go(kind, way) {
    this.visit(this.player.choice.neighbour(kind, way, this.player.time_s));
  }

  /** Play the selected segment from its start to its end. */
  play() {
    const segment = this.player.selectedSegment;
    if (!segment) return;
    const { playback } = this.player;
    const range = this.range(segment);
    this.player.seek(range.start_s);
    playback.range = range;
    playback.play();
  }

  /** What is played of a segment: with some seconds around it where that was chosen. */
  range({ start_s, end_s }) {
    const { playback } = this.player;
    const around_s = playback.looping && playback.around ? AROUND_S : 0;
    return { start_s: Math.max(0, start_s - around_s), end_s: Math.min(playback.duration_s, end_s + around_s) };
  }

  /** Repeat the selected segment, or no longer. @param {boolean} around with a second before and after it */
  toggleLoop(around = false) {
    const { playback } = this.player;
    if (!this.player.selectedSegment) return;
    playback.looping = !(playback.looping && playback.around === around);
    playback.around = around;
    playback.range = null;
    if (playback.looping) this.play();
    this.player.showing.showChosen();
  }

  /** Show the selected segment with some room around it. */
  zoom() {
    const segment = this.player.selectedSegment;
    if (!segment) return;
    const room_s = Math.max(0.5, 0.5 * (segment.end_s - segment.start_s));
    this.player.timeline.show(segment.start_s - room_s, segment.end_s + room_s);
  }
}
