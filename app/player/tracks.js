// Which tracks there are, and in which order they stand.

import { AttentionTrack } from "./attention.js";
import { GateTrack } from "./gates.js";
import { SegmentTrack } from "./segments.js";
import { arranged } from "./settings.js";
import { SpectrogramTrack } from "./spectrogram.js";
import { WaveformTrack } from "./waveform.js";

/** The tracks that every player has, by the names under which its parts know them. */
export function makeTracks(player) {
  return {
    trueTrack: new SegmentTrack("truth", player),
    foundTrack: new SegmentTrack("detections", player),
    gateTrack: new GateTrack(player),
    attentionTrack: new AttentionTrack(player),
    melTrack: new SpectrogramTrack(player),
    waveTrack: new WaveformTrack(player),
  };
}

/** All tracks of a player, those of rows beside included, folded and ordered as a person has left them. */
export function tracksInOrder(player) {
  const { settings, others } = player;
  const explained = player.explaining.track.present ? [player.explaining.track] : [];
  const usual = [player.trueTrack, player.foundTrack, ...others.tracks, ...explained, player.gateTrack, player.attentionTrack,
    player.melTrack, player.waveTrack];
  for (const track of usual) track.setFolded(settings.folded.includes(track.name));
  return arranged(usual, settings.order);
}
