// twins.py: its oracle, and its frame for looking at scenes [n, 3, 32, 32].

const SIDE = 32, CORNER = 12, RADIUS = 3;
const PALETTE = [[1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, 1, 1], [-1, -1, 1], [1, -1, 1]];
const COLOURS = [...PALETTE, [1, 1, 1], [-1, -1, -1]], WHITE = PALETTE.length, BLACK = WHITE + 1;
const CORNERS = [0, SIDE - CORNER].flatMap((top) => [0, SIDE - CORNER].map((left) => [top, left]));

// compare_colours(...).agrees: for each scene, whether all discs on the same ground show the same colour.
export function agrees({ data, shape: [n] }) {
  const size = 3 * SIDE ** 2;
  return Array.from({ length: n }, (_, i) => {
    const paint = paints(data.subarray(i * size, (i + 1) * size));
    const corners = CORNERS.map((from) => corner(paint, ...from));
    return corners.every((one) => one.colour < WHITE
      && corners.every((other) => one.ground !== other.ground || one.colour === other.colour));
  });
}

function paints(scene) { // for each pixel the nearest of COLOURS
  const plane = SIDE ** 2;
  return Array.from({ length: plane }, (_, i) => {
    const away = COLOURS.map((colour) => colour.reduce((sum, value, c) =>
      sum + (scene[c * plane + i] - value) ** 2, 0));
    return away.indexOf(Math.min(...away));
  });
}

function corner(paint, top, left) { // { colour, ground }, of most pixels in the disc and around it
  const inside = new Array(WHITE).fill(0), around = { [WHITE]: 0, [BLACK]: 0 }, middle = (CORNER - 1) / 2;
  for (let y = 0; y < CORNER; y++) for (let x = 0; x < CORNER; x++) {
    const colour = paint[(top + y) * SIDE + left + x];
    const counts = (y - middle) ** 2 + (x - middle) ** 2 <= RADIUS ** 2 ? inside : around;
    if (colour in counts) counts[colour] += 1;
  }
  const most = Math.max(...inside);
  return {
    colour: most > 0 ? inside.indexOf(most) : WHITE, // none of the six
    ground: around[WHITE] >= around[BLACK] ? WHITE : BLACK,
  };
}

// A thin grey frame round each scene; without it the white of one runs into the next.
export function withFrame({ data, shape: [n, channels, h, w] }) {
  const framed = new Float32Array(n * channels * (h + 2) * (w + 2));
  for (let row = 0; row < n * channels * h; row++) {
    const plane = Math.floor(row / h), y = row % h;
    framed.set(data.subarray(row * w, (row + 1) * w), (plane * (h + 2) + y + 1) * (w + 2) + 1);
  }
  return { data: framed, shape: [n, channels, h + 2, w + 2] };
}
