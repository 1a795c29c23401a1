// Numbers in captions, as Python writes them.

// f"{x:.{digits}f}": rounded from the exact value, and a tie to the even digit, where toFixed goes up.
export function fixed(x, digits = 0) {
  const size = Math.abs(x), scaled = size * 10 ** digits, low = Math.floor(scaled);
  const tie = scaled - low === 0.5 && Number.isInteger(size * 2 ** (digits + 1));
  const minus = x < 0 || Object.is(x, -0) ? "-" : ""; // Python has one before zero, too
  return minus + (tie ? (low + low % 2) / 10 ** digits : size).toFixed(digits);
}

// f"{x:.{digits}%}"
export const percent = (x, digits = 0) => `${fixed(x * 100, digits)}%`;

// f"{x}" of a float: whole numbers have a zero behind the point
export const float = (x) => (Number.isInteger(x) ? `${x}.0` : `${x}`);
