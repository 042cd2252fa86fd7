// A raster over time, coloured once into bitmaps of several resolutions, so that a redraw
// while zooming or panning only copies pictures.

const TILE = 2048; // columns of a bitmap; far below the 8192 that browsers accept
const POOL = 4; // columns that become one at the next coarser resolution
const KEEP = 96; // bitmaps held at once

// A bitmap takes its pixels when it is first drawn from: here, so that no redraw has to wait for it.
const scratch = document.createElement("canvas").getContext("2d");

const whenIdle = window.requestIdleCallback?.bind(window) ??
  ((work) => setTimeout(() => work({ timeRemaining: () => 5 }), 50));

function pool(values, rows, columns) {
  const narrow = Math.ceil(columns / POOL);
  const result = new Uint8Array(rows * narrow);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < narrow; column += 1) {
      const first = column * POOL;
      const count = Math.min(POOL, columns - first);
      let sum = 0;
      for (let k = 0; k < count; k += 1) sum += values[row * columns + first + k];
      result[row * narrow + column] = Math.round(sum / count);
    }
  }
  return { values: result, columns: narrow };
}

export class TilePyramid {
  /**
   * @param {Uint8Array} values row after row, 0 to 255; the first row is drawn at the bottom
   * @param {Uint32Array} table 256 colours
   */
  constructor(values, rows, columns, table) {
    Object.assign(this, { rows, table, tiles: new Map(), levels: [{ values, columns, ratio: 1 }] });
    for (let last = this.levels[0]; last.columns > TILE; ) {
      last = { ...pool(last.values, rows, last.columns), ratio: last.ratio * POOL };
      this.levels.push(last);
    }
    if (columns > 0) this.tile(this.levels.length - 1, 0);
    this.paintAhead();
  }

  /** Colour the bitmaps of finer levels while nothing else is to do, so that no zoom has to wait for them. */
  paintAhead() {
    const waiting = this.levels.flatMap(({ columns }, level) =>
      Array.from({ length: Math.ceil(columns / TILE) }, (_, index) => [level, index])).reverse().slice(0, KEEP);
    const work = (deadline) => {
      while (waiting.length && deadline.timeRemaining() > 3) this.tile(...waiting.shift());
      if (waiting.length) whenIdle(work);
    };
    whenIdle(work);
  }

  tile(level, index) {
    const key = level * 1e6 + index;
    let bitmap = this.tiles.get(key);
    if (bitmap) return bitmap;
    const { values, columns } = this.levels[level];
    const first = index * TILE;
    const width = Math.min(TILE, columns - first);
    bitmap = document.createElement("canvas");
    bitmap.width = width;
    bitmap.height = this.rows;
    const image = new ImageData(width, this.rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < this.rows; row += 1) {
      const from = row * columns + first;
      const to = (this.rows - 1 - row) * width;
      for (let column = 0; column < width; column += 1) pixels[to + column] = this.table[values[from + column]];
    }
    bitmap.getContext("2d").putImageData(image, 0, 0);
    scratch.drawImage(bitmap, 0, 0, 1, 1);
    if (this.tiles.size >= KEEP) this.tiles.delete(this.tiles.keys().next().value);
    this.tiles.set(key, bitmap);
    return bitmap;
  }

  /**
   * Draw the part in view.
   * @param {{view: Timeline, left: number, width: number, ratio: number}} frame where time lies on the canvas
   * @param {number} first_s time of the left edge of the first column
   * @param {number} step_s length of a column
   */
  draw(context, frame, first_s, step_s, top, height, smooth) {
    const { view, left, width, ratio } = frame;
    const pixelsPerColumn = ((step_s / view.span_s) * width) * ratio;
    let level = 0;
    while (level < this.levels.length - 1 && pixelsPerColumn * this.levels[level].ratio < 0.6) level += 1;
    const { columns, ratio: pooled } = this.levels[level];
    const wide_s = step_s * pooled;
    const from = Math.max(0, Math.floor((view.start_s - first_s) / wide_s) - 1);
    const to = Math.min(columns, Math.ceil((view.end_s - first_s) / wide_s) + 1);
    const place = (column) => Math.round((left + view.toX(first_s + column * wide_s, width)) * ratio) / ratio;
    context.imageSmoothingEnabled = smooth;
    for (let index = Math.floor(from / TILE); index * TILE < to; index += 1) {
      const begin = Math.max(from, index * TILE);
      const end = Math.min(to, (index + 1) * TILE);
      if (end <= begin) continue;
      const x = place(begin);
      const bitmap = this.tile(level, index);
      context.drawImage(bitmap, begin - index * TILE, 0, end - begin, this.rows, x, top, place(end) - x, height);
    }
  }
}
