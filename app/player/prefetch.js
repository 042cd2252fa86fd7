// Fetches beforehand what will likely be wanted next, so that the browser has it already: one thing
// after another, and only while nothing that is wanted now is on its way.

const BEGINNING = "bytes=0-524287"; // of a video: its header and first pictures

export class Prefetch {
  /** @param {() => boolean} isFree whether nothing else is being fetched */
  constructor(isFree) {
    Object.assign(this, { isFree, wanted: [], done: new Set(), busy: false, closed: false });
  }

  /** @param {{url: string, partly: boolean}[]} wanted in the order of their likelihood; `partly`: its beginning */
  point(wanted) {
    this.wanted = wanted.filter(({ url }) => url && !this.done.has(url));
  }

  /** Go on, unless something is on its way. */
  async go() {
    if (this.busy || this.closed || !this.isFree() || !this.wanted.length) return;
    const { url, partly } = this.wanted.shift();
    this.busy = true;
    this.done.add(url);
    try {
      const answer = await fetch(url, { priority: "low", credentials: "same-origin", headers: partly ? { Range: BEGINNING } : {} });
      await answer.arrayBuffer();
    } catch {
      // Whoever really wants it will say what is wrong.
    }
    this.busy = false;
    this.go();
  }

  close() {
    this.closed = true;
  }
}
