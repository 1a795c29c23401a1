// The files that a page gives to its worker, {name: { from, sha256 }}: `from` is an address, or the
// bytes themselves in an ArrayBuffer, gzipped or not; the checksum is that of the plain bytes.

// Reads one, and reports how many bytes have come. Throws one sentence where it is missing, cut short
// or damaged.
export async function readFile(files, name, report = () => {}) {
  const file = files[name];
  if (!file) throw new Error(`this page lacks the file ${name}: it was built without it`);
  let bytes;
  try {
    bytes = await inflate(typeof file.from === "string" ? await download(file.from, report) : file.from);
  } catch {
    throw new Error(`the file ${name} did not come, or not whole: load the page again`);
  }
  if (![undefined, file.sha256].includes(await sha256(bytes))) {
    throw new Error(`the file ${name} is damaged: load the page again`);
  }
  return bytes;
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
