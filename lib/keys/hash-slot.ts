import { routedPartOf } from './hash-tag.js';

/** Slots of a Redis Cluster. */
export const SLOTS = 16_384;

/** CRC16 of each byte: polynomial 0x1021, begun with 0 (XMODEM). */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

const NOT_ASCII = /[\u0080-\uffff]/;

/** The slot that has a Redis key, by the rule of Redis Cluster: 0 to 16383. */
export function hashSlot(redisKey: string): number {
  const part = routedPartOf(redisKey);
  // One character per byte.
  const bytes = NOT_ASCII.test(part) ? Buffer.from(part).toString('latin1') : part;
  let crc = 0;
  for (let i = 0; i < bytes.length; i++)
    crc = ((crc << 8) ^ CRC[(crc >>> 8) ^ bytes.charCodeAt(i)]!) & 0xffff;
  return crc % SLOTS;
}
