// An animated GIF. It moves where an animated PNG stands still, in most messengers, but has only 256
// colours a frame.

const ANIMATION = 0x21, PICTURE = 0x2c, END_OF_FILE = 0x3b;

// `frames` are [canvas, milliseconds], all canvases of one size; they may be one that is drawn on anew
// for each, where `frames` is a generator.
async function gif(frames) {
  const parts = [], shorts = (...numbers) => numbers.flatMap((number) => [number & 255, number >> 8]);
  for (const [canvas, wait] of frames) {
    const { width, height } = canvas, { table, numbers } = fewColours(canvas);
    if (!parts.length) {
      parts.push("GIF89a", [...shorts(width, height), 0x70, 0, 0], // again and again:
        [ANIMATION, 0xff, 11], "NETSCAPE2.0", [3, 1, 0, 0, 0]);
    }
    parts.push([ANIMATION, 0xf9, 4, 4, ...shorts(Math.round(wait / 10)), 0, 0],
      [PICTURE, ...shorts(0, 0, width, height), 0x87], table, [8, ...lzw(numbers), 0]);
    await new Promise((go) => { setTimeout(go); }); // the page goes on
  }
  parts.push([END_OF_FILE]);
  return new Blob(parts.map((part) => (typeof part === "string" ? part : new Uint8Array(part))),
    { type: "image/gif" });
}

// At most 256 colours for all of a canvas, and the number of each pixel's. Of all groups of colours
// the one that loses most is parted in two, again and again; each becomes its mean.
function fewColours(canvas) {
  const rgba = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const pixels = new Int32Array(new Uint32Array(rgba.buffer)), counts = new Map();
  let from = 0;
  for (let i = 1; i <= pixels.length; i++) { // by runs of one colour: a picture's pixels are squares
    if (pixels[i] === pixels[from]) continue;
    counts.set(pixels[from], (counts.get(pixels[from]) ?? 0) + i - from);
    from = i;
  }
  const groups = [groupOf([...counts])];
  while (groups.length < 256) {
    const at = groups.reduce((worst, { loss }, i) => (loss > groups[worst].loss ? i : worst), 0);
    const { loss, colours, shift, mean } = groups[at];
    if (!loss) break; // all colours fit
    const isLow = ([colour]) => ((colour >> shift) & 255) <= mean[shift / 8];
    groups[at] = groupOf(colours.filter(isLow));
    groups.push(groupOf(colours.filter((entry) => !isLow(entry))));
  }
  const table = new Uint8Array(768), numbers = new Map();
  groups.forEach(({ colours, mean }, i) => {
    table.set(mean.map(Math.round), 3 * i);
    for (const [colour] of colours) numbers.set(colour, i);
  });
  let last, number;
  return { table, numbers: Uint8Array.from(pixels, (pixel) => {
    if (pixel !== last) [last, number] = [pixel, numbers.get(pixel)];
    return number;
  }) };
}

function groupOf(colours) { // [[colour, how often]]; `shift` finds the channel with the largest spread
  const all = colours.reduce((sum, [, n]) => sum + n, 0);
  const mean = [], spread = [];
  for (const shift of [0, 8, 16]) {
    const sum = (of) => colours.reduce((total, [colour, n]) => total + n * of((colour >> shift) & 255), 0);
    const middle = sum((value) => value) / all;
    mean.push(middle);
    spread.push(colours.length > 1 ? sum((value) => (value - middle) ** 2) : 0);
  }
  const loss = Math.max(...spread);
  return { colours, mean, loss, shift: 8 * spread.indexOf(loss) };
}

function lzw(numbers) { // as GIF wants it: codes of 9 to 12 bits, in blocks of 255 bytes
  const CLEAR = 256, END = 257, bytes = [], blocks = [];
  const known = new Uint16Array(4096 << 8); // of a code and a number that follows: the code for both
  let width = 9, next = END + 1, held = 0, bits = 0;
  const put = (code) => {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
    if (next === 1 << width && width < 12) width++;
  };
  put(CLEAR);
  let before = numbers[0];
  for (let i = 1; i < numbers.length; i++) {
    const both = (before << 8) | numbers[i];
    if (known[both]) {
      before = known[both];
      continue;
    }
    put(before);
    if (next < 4096) known[both] = next++;
    else {
      put(CLEAR);
      known.fill(0);
      [width, next] = [9, END + 1];
    }
    before = numbers[i];
  }
  put(before);
  put(END);
  if (bits) bytes.push(held & 255);
  for (let from = 0; from < bytes.length; from += 255) {
    const block = bytes.slice(from, from + 255);
    blocks.push(block.length, ...block);
  }
  return blocks;
}

