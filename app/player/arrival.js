// What the page gives: a clip, addresses of data, a view; and what of the last ones it puts an end to.

import { placeOf } from "./choice.js";
import { momentBeforeReload } from "./reload.js";
import { tracksInOrder } from "./tracks.js";

export class Arrival {
  /** @param {Player} player whose parts are pointed to what has come */
  constructor(player) {
    this.player = player;
    this.jump = null; // the last order of the page to go somewhere
    this.toReveal = false; // whether a segment that was sent for is not in view yet
  }

  /** Take data from the page; nothing unchanged is fetched or drawn anew. */
  take(data, report, ask) {
    const { player } = this;
    const newClip = data.clip.id !== player.clip?.id;
    const newVideo = newClip || data.clip.video_url !== player.clip.video_url;
    player.reporter.report = report;
    Object.assign(player, { ask, clip: data.clip, view: data.view });
    player.showing.retheme();
    if (newClip) this.openClip();
    if (newVideo) player.playback.load();
    this.dropForeign(newClip, data);
    this.pointOthers(data);
    player.feeds.point(data.sources);
    player.explaining.from(data);
    player.prefetch.point((data.next ?? []).flatMap((clip) => this.addressesOf(clip)));
    player.prefetch.go();
    if (newClip || data.view.jump !== this.jump) this.follow(data.view);
    player.showing.refresh();
    if (newClip) player.relayout();
  }

  /** What a clip will be fetched by, the quickest first. */
  addressesOf({ sources, others, poster_url, video_url }) {
    const { attention, attribution, ...simple } = sources;
    const urls = [...Object.values(simple), this.player.feeds.attentionAt(attention), ...others, poster_url];
    return [...urls.map((url) => ({ url, partly: false })), { url: video_url, partly: true }];
  }

  openClip() {
    const { choice, timeline, playback, root, clip } = this.player;
    choice.id = null;
    timeline.setDuration(clip.duration_s);
    playback.reset(timeline.duration_s);
    root.dataset.painted = "false";
  }

  /** Another run's detections have other names; true segments keep theirs. */
  dropForeign(newClip, { sources, others = [] }) {
    const { player } = this;
    if (newClip || !player.selected || player.selected.startsWith("t")) return;
    const place = placeOf(player.selected);
    const before = place < 0 ? player.sources.segments.url : player.others.rows[place]?.source.url;
    const after = place < 0 ? sources.segments : others[place]?.segments_url;
    if (before !== after) player.tour.select(null);
  }

  /** Rows of other runs or sounds; with any, the first row bears its own name too. */
  pointOthers({ others = [], name }) {
    const { player } = this;
    player.foundTrack.setTitle(others.length && name ? name : "Predicted");
    if (player.others.point(others)) player.stage.setTracks(tracksInOrder(player));
  }

  /** Go where an address sends the view. */
  follow(view) {
    const { player } = this;
    this.jump = view.jump;
    player.choice.id = view.selected ?? null;
    this.toReveal = true;
    const before_s = momentBeforeReload(player.clip.id);
    player.playback.seek(before_s ?? view.time_s ?? 0);
    player.timeline.follow(player.time_s);
    if (before_s === null) player.reporter.known(player.moment());
    else player.reporter.tell();
    this.revealChosen();
  }

  /** Whether an address names a segment that will not come: detections may still be on their way. */
  isNowhere(id, { detections }) {
    return detections.length > 0 || !/^[do]/.test(id);
  }

  /** Bring the segment of an address into view once the segments are there. */
  revealChosen() {
    const { choice, others, sources, view, timeline } = this.player;
    if (!this.toReveal || sources.segments.state !== "ready" || !others.isReady(choice.id ?? "")) return;
    this.toReveal = false;
    choice.update(sources.segments.value, view, others.values);
    if (choice.segment) timeline.reveal(choice.segment.start_s, choice.segment.end_s);
    else if (choice.id && this.isNowhere(choice.id, sources.segments.value)) this.player.tour.select(null);
  }
}
