/** Ids and bytes for tests of the stores, written out by hand: what a store makes must match these, not its own code. */

let made = 0;

/** 20 characters, another one each time. */
export function newId(): string {
  return `id${String(made++).padStart(18, '0')}`;
}

/** A record from its fixed part on; the store puts `softAt` in. */
export function bodyOf({ payload = Buffer.from('payload'), graceMs = 0 } = {}): Buffer {
  const fixed = Buffer.alloc(27);
  fixed[0] = 1;
  fixed.writeUInt32BE(graceMs, 11);
  return Buffer.concat([fixed, payload]);
}

export function lease(id: string, ...waiters: string[]): Buffer {
  return Buffer.from(['L' + id, ...waiters].join(','));
}

export function barrier({ taint = '0', writers = ['writer'] } = {}): Buffer {
  return Buffer.from([`B${'.'.repeat(20)}${taint}`, ...writers].join(','));
}

export function value(id: string, body: Buffer, softAt = 0): Buffer {
  const bytes = Buffer.concat([Buffer.from('V' + id), body]);
  bytes.writeDoubleBE(softAt, 24);
  return bytes;
}

/** Every byte there is, and CRLF. */
export const ANY_BYTES = Buffer.from([...Array(256).keys(), 13, 10]);

/** What a value with that grace is judged by; others differ in `mark`. */
export function factsWith({ graceMs = 0, mark = 0 } = {}): Buffer {
  const body = bodyOf({ payload: Buffer.alloc(0), graceMs });
  body[26] = mark;
  return Buffer.concat([body.subarray(0, 3), body.subarray(11)]);
}

/** A value with these facts, from its fixed part on. */
export function bodyWith(facts: Buffer, payload: Buffer | string): Buffer {
  const parts = [facts.subarray(0, 3), Buffer.alloc(8), facts.subarray(3), Buffer.from(payload)];
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}
