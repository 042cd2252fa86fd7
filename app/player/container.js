// Reads the binary container of track data: "MRVT", header length, JSON header, arrays.
// All numbers are little-endian, as on every machine a browser runs on.

const BYTES = { u1: 1, i2: 2, f4: 4, f8: 8 };
const VIEWS = { u1: Uint8Array, i2: Int16Array, f4: Float32Array, f8: Float64Array };
const PREFIX = 8;

export class ContainerError extends Error {}

function readHeader(buffer) {
  if (buffer.byteLength < PREFIX) throw new ContainerError("track data ends before its header");
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
  if (magic !== "MRVT") throw new ContainerError("this is not track data (it does not begin with MRVT)");
  const length = new DataView(buffer).getUint32(4, true);
  if (PREFIX + length > buffer.byteLength) throw new ContainerError("track data ends inside its header");
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, PREFIX, length)));
  } catch {
    throw new ContainerError("the header of the track data is not readable JSON");
  }
  if (header?.version !== 1) throw new ContainerError(`track data of version ${header?.version}, expected 1`);
  return { header, start: PREFIX + length };
}

function viewArray(buffer, start, name, entry) {
  const { dtype, shape, offset } = entry ?? {};
  const View = VIEWS[dtype];
  if (!View) throw new ContainerError(`array ${name} has the unknown type ${dtype}`);
  const whole = Array.isArray(shape) && [...shape, offset].every((value) => Number.isInteger(value) && value >= 0);
  if (!whole) throw new ContainerError(`array ${name} has no usable shape and offset`);
  const count = shape.reduce((product, size) => product * size, 1);
  const first = start + offset;
  if (first + count * BYTES[dtype] > buffer.byteLength) throw new ContainerError(`track data ends inside ${name}`);
  // A typed array may only look at a multiple of its own size; copy where the writer did not align.
  const aligned = first % BYTES[dtype] === 0;
  const values = aligned
    ? new View(buffer, first, count)
    : new View(buffer.slice(first, first + count * BYTES[dtype]));
  return { shape, values };
}

/**
 * @param {ArrayBuffer} buffer whole file
 * @returns {{arrays: Object<string, {shape: number[], values: TypedArray}>, meta: Object}}
 * @throws {ContainerError} one sentence saying what is wrong
 */
export function decodeContainer(buffer) {
  const { header, start } = readHeader(buffer);
  const arrays = {};
  for (const [name, entry] of Object.entries(header.arrays ?? {})) {
    arrays[name] = viewArray(buffer, start, name, entry);
  }
  return { arrays, meta: header.meta ?? {} };
}
