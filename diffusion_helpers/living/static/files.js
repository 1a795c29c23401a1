// The files that a page gives to its worker, {name: { from, sha256 }}: `from` is an address, or the
// bytes themselves in an ArrayBuffer or as { base64 }, gzipped or not; the checksum is that of the
// plain bytes.

// Reads one, and reports how many bytes have come. Throws one sentence where it is missing, cut short
// or damaged.
export async function readFile(files, name, report = () => {}) {
  const file = files[name];
  if (!file) throw new Error(tr("this page lacks the file {0}: it was built without it", name));
  const { from, sha256: wanted } = file;
  const again = from.base64 ? tr("get the page and its packs again") : tr("load the page again");
  let bytes;
  try {
    bytes = from.base64 ? await unpack(from)
      : await inflate(typeof from === "string" ? await download(from, report) : from);
  } catch {
    throw new Error(tr("the file {0} did not come, or not whole: {1}", name, again));
  }
  if (![undefined, wanted].includes(await sha256(bytes))) {
    throw new Error(tr("the file {0} is damaged: {1}", name, again));
  }
  return bytes;
}

// Bytes as mirrors.pack_bytes writes them, in an ArrayBuffer.
export function unpack({ base64 }) {
  if (Uint8Array.fromBase64) return inflate(Uint8Array.fromBase64(base64).buffer);
  const letters = atob(base64), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return inflate(bytes.buffer);
}

// A tensor as mirrors.pack_tensor writes it -> { data, shape }; bytes of pictures become [-1, 1].
export async function unpackTensor({ kind, shape, base64 }) {
  const bytes = await unpack({ base64 });
  if (kind === "doubles") return { data: new Float64Array(bytes), shape };
  if (kind === "floats") return { data: new Float32Array(bytes), shape };
  return { data: signed(new Uint8Array(bytes), shape), shape };
}

// Levels 0..255 of pictures, the colours of each pixel together in so many bytes -> [-1, 1] in a tensor
// of this shape, [..., C, H, W], as data.to_signed.
export function signed(levels, shape, bytes = shape.at(-3)) {
  const [channels, height, width] = shape.slice(-3), size = height * width;
  const data = new Float32Array(shape.reduce((a, b) => a * b));
  for (let i = 0; i < data.length; i++) {
    const plane = Math.floor(i / size), channel = plane % channels;
    const pixel = (plane - channel) / channels * size + i % size;
    data[i] = Math.fround(levels[pixel * bytes + channel] / 127.5) - 1;
  }
  return data;
}

async function download(address, report) {
  const answer = await fetch(address), parts = [];
  if (!answer.ok) throw new Error(answer.statusText);
  for (let reader = answer.body.getReader(), part; !(part = await reader.read()).done;) {
    parts.push(part.value);
    report(part.value.length);
  }
  return new Blob(parts).arrayBuffer();
}

function inflate(buffer) { // gzip is known by its first bytes, so that any server will do
  const [first, second] = new Uint8Array(buffer, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return buffer;
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function sha256(bytes) { // undefined where the browser gives no checksums: neither https nor a disk
  if (!globalThis.crypto.subtle) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
