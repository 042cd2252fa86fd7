// Fetches track data: each address once, shared between tracks, with a way to try again.

import { decodeContainer } from "./container.js";

const WORDS = { 404: "not found", 500: "the server failed", 503: "the server is busy" };

/** The server's own sentence, which names the file and the likely cause; else what HTTP calls it. */
async function whatFailed(response) {
  const words = `${WORDS[response.status] ?? "the server answered"} (${response.status})`;
  const answer = await response.json().catch(() => null);
  return typeof answer?.error === "string" ? answer.error : words;
}

async function load(url, kind, signal) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  if (!response.ok) throw new Error(await whatFailed(response));
  if (kind === "json") return response.json();
  return decodeContainer(await response.arrayBuffer());
}

/** One piece of track data: nothing, loading, ready or failed. */
export class Source {
  /**
   * @param {"json"|"container"} kind
   * @param {(source: Source) => void} onChange called when the state has changed
   */
  constructor(name, kind, onChange) {
    Object.assign(this, { name, kind, onChange, url: undefined, state: "none", value: null, error: "", fetches: 0 });
  }

  /** Fetch `url` unless it is the one already here or on its way; null means that there is none. */
  point(url) {
    const wanted = url || null;
    if (wanted === this.url) return;
    this.url = wanted;
    this.retry();
  }

  retry() {
    this.abort?.abort();
    this.abort = new AbortController();
    this.value = null;
    this.error = "";
    this.state = this.url ? "loading" : "none";
    this.onChange(this);
    if (this.url) this.run(this.abort.signal);
  }

  async run(signal) {
    this.fetches += 1;
    try {
      const value = await load(this.url, this.kind, signal);
      if (signal.aborted) return;
      this.value = value;
      this.state = "ready";
    } catch (error) {
      if (signal.aborted) return;
      this.state = "failed";
      this.error = error instanceof TypeError ? "the server cannot be reached" : error.message;
    }
    this.onChange(this);
  }

  close() {
    this.abort?.abort();
    this.onChange = () => {};
  }
}
