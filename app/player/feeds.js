// The data of the tracks: where each kind is fetched from, and which level of attention.

import { Source } from "./sources.js";

export class Feeds {
  /**
   * @param {number} level of the pyramid whose attention is wanted
   * @param {(name: string) => void} onChange told the kind whose state has changed
   */
  constructor(level, onChange) {
    const source = (name, kind) => new Source(name, kind, () => this.changed(name));
    this.onChange = onChange;
    this.level = level;
    this.head = null;
    this.attentionUrl = null;
    this.fellBack = false;
    this.sources = {
      segments: source("segments", "json"),
      signal: source("signal", "container"),
      gates: source("gates", "container"),
      attention: source("attention", "container"),
    };
  }

  get waiting() {
    return Object.values(this.sources).some((source) => source.state === "loading");
  }

  /** Fetch what has another address than before. @param {Object<string, string|null>} urls by kind */
  point({ attention, attribution, ...others }) {
    for (const [name, url] of Object.entries(others)) this.sources[name].point(url);
    if (attention !== this.attentionUrl) this.fellBack = false;
    this.attentionUrl = attention;
    this.pointAttention();
  }

  setLevel(level) {
    this.level = level;
    this.fellBack = false;
    this.pointAttention();
  }

  /** @param {number|null} head null for the mean over heads */
  setHead(head) {
    this.head = head;
    this.pointAttention();
  }

  pointAttention() {
    this.sources.attention.point(this.attentionAt(this.attentionUrl));
  }

  /** Where attention of the level wanted is fetched from. @param {string|null} url of any level */
  attentionAt(url) {
    if (!url) return null;
    return `${url}${this.head === null ? "" : `&head=${this.head}`}&level=${this.fellBack ? 0 : this.level}`;
  }

  changed(name) {
    // Another run may have fewer heads.
    if (name === "attention" && this.sources.attention.state === "failed" && this.head !== null) {
      return void this.setHead(null);
    }
    // The level remembered may be one that this run does not have: the finest one is always there.
    if (name === "attention" && this.sources.attention.state === "failed" && this.level > 0 && !this.fellBack) {
      this.fellBack = true;
      return void this.pointAttention();
    }
    this.onChange(name);
  }

  close() {
    for (const source of Object.values(this.sources)) source.close();
  }
}
