// The course's weight files, as checkpoints.py writes them.

const SCALE = ".scale_of_rows"; // key suffix of an int8 weight's row scales
const SCHEDULE = "schedule.alpha_bar"; // key of the noise schedule that a network was taught with
const KINDS = {
  F64: Float64Array, F32: Float32Array, I8: Int8Array, F16: Uint16Array, // half floats: see `floats`
};

// The tensors of a safetensors file, {name: { shape, kind, data }}.
export function safetensors(buffer) {
  const size = Number(new DataView(buffer).getBigUint64(0, true)); // of the header, which is JSON
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  delete header.__metadata__;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(header)) {
    const bytes = buffer.slice(8 + size + from, 8 + size + to); // a copy starts at a whole number
    tensors[name] = { shape, kind: dtype, data: new KINDS[dtype](bytes) };
  }
  return tensors;
}

// checkpoints.dequantize: {name: Float32Array}, without the scales and the schedule.
export function dequantize(tensors) {
  const names = Object.keys(tensors).filter((name) => !name.endsWith(SCALE) && name !== SCHEDULE);
  return Object.fromEntries(names.map((name) => {
    const weight = floats(tensors[name]), scales = tensors[name + SCALE]?.data;
    return [name, scales ? timesRows(weight, scales) : weight];
  }));
}

// alpha_bar of the schedule that a network was taught with, or undefined: the cosine schedule
export const alphaBarOf = (tensors) => tensors[SCHEDULE]?.data;

let halves; // the value of each of the 65,536 half floats

export function floats({ kind, data }) {
  if (kind !== "F16") return new Float32Array(data);
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => half(bits));
  const numbers = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) numbers[i] = halves[data[i]];
  return numbers;
}

// Each row of a weight times its own scale, in place.
export function timesRows(weight, scales) {
  const width = weight.length / scales.length;
  for (let i = 0; i < weight.length; i++) weight[i] *= scales[Math.floor(i / width)];
  return weight;
}

function half(bits) { // IEEE 754 binary16, from its 16 bits
  const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
  const size = exponent === 31 ? (fraction ? NaN : Infinity)
    : exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return bits & 0x8000 ? -size : size;
}
