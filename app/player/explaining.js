// Everything that follows the explanation of the selected detection: its track, its panel, the shaded spectrum.

import { AttributionTrack } from "./attribution.js";
import { placeOf } from "./choice.js";
import { Explained } from "./explained.js";
import { ExplanationPanel } from "./explanation.js";
import { tracksInOrder } from "./tracks.js";

export class Explaining {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.explained = new Explained(() => this.onChange());
    this.track = new AttributionTrack(player);
    this.panel = new ExplanationPanel(this.explained);
    this.urls = [];
  }

  /** Where attributions of the first row's detections and of those beside it come from. */
  from({ sources, others = [] }) {
    this.urls = [sources.attribution, ...others.map(({ attribution_url: url }) => url)];
  }

  /** Follow the selection. */
  follow() {
    const segment = this.player.selectedSegment;
    const number = segment?.id.match(/d(\d+)$/)?.[1];
    const url = number === undefined ? null : this.urls[placeOf(segment.id) + 1];
    this.explained.point(url ? `${url}&n=${number}` : null);
  }

  begin() {
    this.explained.begin();
  }

  onChange() {
    const { player, track } = this;
    this.panel.fill();
    const before = track.found;
    track.show(this.explained.value);
    if (track.found === before) return;
    player.melTrack.shadeBy(track.found);
    if (track.present !== Boolean(before)) player.stage.setTracks(tracksInOrder(player));
    player.relayout();
  }

  close() {
    this.explained.close();
  }
}
