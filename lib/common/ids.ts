import { randomBytes } from 'node:crypto';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const HALF = 10;

/** 10 base62 characters, about 59 random bits: two processes never share one in practice. */
function createInstanceId(): string {
  let id = '';
  while (id.length < HALF) {
    // 248 is the largest multiple of 62 in a byte; taking the rest modulo 62 would favour some characters.
    for (const byte of randomBytes(16))
      if (byte < 248 && id.length < HALF) id += BASE62[byte % BASE62.length];
  }
  return id;
}

/**
 * Ids of acquisitions: 20 characters, the instance and a counter. They never repeat, so equal ids at a key mean
 * that nothing happened to it in between.
 */
export class IdSource {
  private counter = 0;

  constructor(readonly instance: string = createInstanceId()) {}

  next(): string {
    let rest = this.counter++;
    let text = '';
    for (let i = 0; i < HALF; i++) {
      text = BASE62[rest % BASE62.length]! + text;
      rest = Math.floor(rest / BASE62.length);
    }
    return this.instance + text;
  }
}
