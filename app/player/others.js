// Rows of other runs or other sounds, one under another below the first run's.

import { placeOf } from "./choice.js";
import { SegmentTrack } from "./segments.js";
import { Source } from "./sources.js";

/** Detections of the row of that number, named so that no other row's are called the same. */
function renamed(data, number) {
  return { ...data, detections: data.detections.map((each) => ({ ...each, id: `o${number}${each.id}` })) };
}

/** One more row of detections. */
class OtherTrack extends SegmentTrack {
  constructor(number, player) {
    super("detections", player, {
      name: `other-${number}`,
      title: "",
      hint: "detections beside the first row's; underlined are those that the other has not",
    });
    this.number = number;
  }
}

/** The rows beside the first: their tracks and where their data comes from. */
export class Others {
  /** @param {Player} player @param {() => void} onChange told when data has come or failed */
  constructor(player, onChange) {
    Object.assign(this, { player, onChange, rows: [] });
  }

  get tracks() {
    return this.rows.map(({ track }) => track);
  }

  get waiting() {
    return this.rows.some(({ source }) => source.state === "loading");
  }

  /** The data of each row, null where it is not there. */
  get values() {
    return this.rows.map(({ value }) => value);
  }

  /** Whether the row that a segment's id belongs to is there with its data. */
  isReady(id) {
    return placeOf(id) < 0 || Boolean(this.rows[placeOf(id)]?.value);
  }

  /**
   * Show these rows; only what has another address is fetched.
   * @param {{name: string, segments_url: string}[]} wanted
   * @returns {boolean} whether rows came or went
   */
  point(wanted) {
    const before = this.rows.length;
    while (this.rows.length > wanted.length) this.rows.pop().source.close();
    while (this.rows.length < wanted.length) this.rows.push(this.make(this.rows.length + 1));
    wanted.forEach(({ name, segments_url: url }, place) => {
      this.rows[place].track.setTitle(name);
      this.rows[place].source.point(url);
    });
    return before !== wanted.length;
  }

  make(number) {
    const row = { track: new OtherTrack(number, this.player), value: null };
    row.source = new Source(`other-${number}`, "json", (source) => {
      row.value = source.state === "ready" ? renamed(source.value, number) : null;
      this.onChange();
    });
    return row;
  }

  /** Show what the choice shows of each row. */
  show(choice) {
    this.rows.forEach(({ track, source }, place) => {
      const { data, shown } = choice.others[place];
      if (track.waitFor(source, "No segments.")) track.show(shown, data, choice.view);
    });
  }

  close() {
    this.point([]);
  }
}
