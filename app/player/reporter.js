// Tells the page where a person has gone: a little later, and only what it does not know.

const LATER_MS = 250;

export class Reporter {
  /** @param {() => {playing: boolean, where: Object}} look says where the player is now */
  constructor(look) {
    Object.assign(this, { look, report: null, told: null, timer: 0, closed: false });
  }

  /** The page itself has sent the player here. */
  known({ where }) {
    this.told = where;
  }

  /** Report soon. While playing only another selection counts, or the page would rerun all the time. */
  tell() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const { playing, where } = this.look();
      if (this.closed || (playing && where.selected === (this.told?.selected ?? null))) return;
      if (JSON.stringify(where) === JSON.stringify(this.told)) return;
      this.told = where;
      this.report?.(where);
    }, LATER_MS);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}
