// torch.Generator on the CPU: the same seed gives the same numbers as in Python.

const PERIOD = 624, MIDDLE = 397; // of MT19937 (Matsumoto and Nishimura 1998)

export class Dice {
  constructor(seed, plus = 0) { // plus: as in checks.seeded_generator; both are whole numbers
    this.state = new Uint32Array(PERIOD);
    this.state[0] = Number((BigInt(seed) + BigInt(plus)) & 0xffffffffn); // all that PyTorch takes
    for (let i = 1; i < PERIOD; i++) {
      const before = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.used = PERIOD;
  }

  next() { // 32 bits
    if (this.used === PERIOD) this.#renew();
    let y = this.state[this.used++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #renew() {
    const s = this.state;
    for (let i = 0; i < PERIOD; i++) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % PERIOD] & 0x7fffffff);
      s[i] = s[(i + MIDDLE) % PERIOD] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.used = 0;
  }

  rand() { return (this.next() & 0xffffff) / 2 ** 24; } // float32 in [0, 1)

  randint(n) { return this.next() % n; } // in 0..n-1, for n below 2 ** 28

  randperm(n) { // 0..n-1 shuffled
    const row = Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < n - 1; i++) {
      const other = i + this.next() % (n - i);
      [row[i], row[other]] = [row[other], row[i]];
    }
    return row;
  }

  randn(n) { // n standard normal numbers as a Float32Array; within 2e-6 of PyTorch's
    if (n < 16) throw new Error("randn makes at least 16 numbers: PyTorch draws fewer in another way");
    const x = Float32Array.from({ length: n }, () => this.rand());
    for (let at = 0; at + 16 <= n; at += 16) boxMuller(x, at);
    if (n % 16) { // the last 16 are drawn anew
      for (let i = n - 16; i < n; i++) x[i] = this.rand();
      boxMuller(x, n - 16);
    }
    return x;
  }
}

function boxMuller(x, at) { // 16 uniform numbers to 16 normal ones (Box and Muller 1958)
  for (let i = at; i < at + 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - x[i])), angle = 2 * Math.PI * x[i + 8];
    x[i] = radius * Math.cos(angle);
    x[i + 8] = radius * Math.sin(angle);
  }
}
