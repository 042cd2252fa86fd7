// What the selected detection rests on: whether that is known, and having it found out.

import { decodeContainer } from "./container.js";

// The server answers when there is news; this only keeps a quick one from being asked without end.
const AGAIN_MS = 30;

export class Explained {
  /** @param {() => void} onChange called when the state has changed */
  constructor(onChange) {
    Object.assign(this, { onChange, url: null, closed: false });
    this.reset("none");
  }

  /**
   * @param {"none"|"asking"|"missing"|"working"|"failed"|"ready"} state none: nothing that can be explained;
   *   missing: nobody has asked yet
   */
  reset(state, more = {}) {
    Object.assign(this, { state, value: null, share: 0, stage: "", error: "" }, more);
  }

  /** Look at another detection. @param {string|null} url of its attribution; null for none */
  point(url) {
    if (url === this.url) return;
    this.url = url;
    this.cancelAsking();
    this.reset(url ? "asking" : "none");
    this.onChange();
    if (url) this.ask("GET");
  }

  /** Have it explained. */
  begin() {
    if (this.state !== "missing" && this.state !== "failed") return;
    this.reset("working", { stage: "waiting" });
    this.onChange();
    this.ask("PUT");
  }

  /** Have it explained no longer. */
  stop() {
    if (this.state === "working") this.ask("DELETE");
  }

  cancelAsking() {
    clearTimeout(this.timer);
    this.abort?.abort();
  }

  async ask(method) {
    this.cancelAsking();
    const { signal } = (this.abort = new AbortController());
    try {
      const response = await fetch(this.url, { method, signal, credentials: "same-origin" });
      if (response.status === 202) this.wait(await response.json(), signal);
      else if (response.status === 204) this.settle("missing", {}, signal);
      else if (response.ok) this.settle("ready", { value: decodeContainer(await response.arrayBuffer()) }, signal);
      else this.refuse(response.status, (await response.json().catch(() => ({}))).error, signal);
    } catch (error) {
      this.settle("failed", { error: error instanceof TypeError ? "The server cannot be reached." : error.message }, signal);
    }
  }

  /** It is under way: look again a little later. */
  wait({ share, stage }, signal) {
    this.settle("working", { share, stage: stage || "waiting" }, signal);
    if (!signal.aborted) this.timer = setTimeout(() => this.ask("GET"), AGAIN_MS);
  }

  /** It could not be done; where nobody here has asked for it, that need not be said. */
  refuse(status, error, signal) {
    const asked = this.state === "working" || status !== 404;
    this.settle(asked ? "failed" : "missing", { error: error ?? `The server answered ${status}.` }, signal);
  }

  settle(state, more, signal) {
    if (signal.aborted || this.closed) return;
    this.reset(state, more);
    this.onChange();
  }

  close() {
    this.closed = true;
    this.cancelAsking();
  }
}
