// What is shown of the data that is there: whatever has changed goes to the parts that show it.

import { readTheme } from "./colours.js";

export class Showing {
  /** @param {Player} player whose tracks, panel and controls show its data */
  constructor(player) {
    this.player = player;
  }

  /** Choose anew what is shown; no data is fetched. */
  refresh() {
    const { choice, others, sources, view, stage, transport, details, trueTrack, foundTrack } = this.player;
    choice.update(sources.segments.value, view, others.values);
    for (const track of [trueTrack, foundTrack]) {
      if (track.waitFor(sources.segments, "No segments.")) track.show(choice.shown, choice.data, view);
    }
    others.show(choice);
    stage.overview.segments = choice.shown;
    transport.showErrors(choice);
    transport.showDifferences(choice);
    details.show(choice.data, choice.shown);
    this.showLoop();
    this.player.explaining.follow();
    stage.arrange();
  }

  showLoop() {
    const { transport, playback, selectedSegment } = this.player;
    transport.showLoop(playback, playback.playable && Boolean(selectedSegment));
  }

  /** Another segment is selected, or it plays in another way. */
  showChosen() {
    this.player.explaining.follow();
    this.player.details.fillCard();
    this.showLoop();
    this.player.stage.invalidate();
  }

  /** Take the colours that the page has now. */
  retheme() {
    const { player } = this;
    const theme = readTheme(player.root);
    if (JSON.stringify(theme) === JSON.stringify(player.theme)) return;
    player.theme = theme;
    player.root.classList.toggle("mv-dark", theme.dark);
    player.details.show(player.data, player.selection);
    player.stage.invalidate();
  }

  /** Data of a kind has come, is on its way or could not be had. */
  onFeed(name) {
    const { player } = this;
    if (name === "segments" || name === "others") {
      this.refresh();
      player.arrival.revealChosen();
      player.relayout();
    } else if (name === "signal") this.reload(player.waveTrack, player.melTrack);
    else if (name === "attention") this.reload(player.attentionTrack);
    else {
      this.reload(player.gateTrack);
      player.details.fillCard();
    }
  }

  /** Let tracks take their data anew; one that cannot read it says so. */
  reload(...tracks) {
    const { sources } = this.player;
    for (const track of tracks) {
      try {
        track.load(sources);
      } catch (error) {
        track.say(`${track.title} could not be read: ${error.message}.`, sources[track.name] ?? sources.signal);
      }
    }
    this.player.relayout();
  }
}
