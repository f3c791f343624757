const { imul } = Math;

/**
 * MurmurHash3_x86_32 of the UTF-8 bytes of `text`, 0 to 2^32-1. The algorithm is Austin Appleby's, who has put it in the
 * public domain: https://github.com/aappleby/smhasher. It spreads well and is no secret: who chooses the text can choose
 * its hash.
 */
export function murmur3(text: string, seed = 0): number {
  // One character per byte.
  const bytes = /[\u0080-\uffff]/.test(text) ? Buffer.from(text).toString('latin1') : text;
  const { length } = bytes;
  const tail = length & ~3;
  let hash = seed;
  for (let i = 0; i < tail; i += 4) {
    hash ^= scramble(littleEndian(bytes, i, 4));
    hash = imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  if (tail < length) hash ^= scramble(littleEndian(bytes, tail, length - tail));
  return fmix32(hash ^ length);
}

/** The last step of MurmurHash3: a bijection of 32 bits in which each bit of the input changes half of the output. */
export function fmix32(hash: number): number {
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const product = imul(word, 0xcc9e2d51);
  return imul((product << 15) | (product >>> 17), 0x1b873593);
}

function littleEndian(bytes: string, from: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i++) word |= bytes.charCodeAt(from + i) << (8 * i);
  return word;
}
