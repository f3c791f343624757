import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { PassThrough } from 'node:stream';
import { inOneWrite } from '../../../lib/redis/one-write.js';
import type { Shard } from '../../../lib/redis/topology.js';

const shardOver = (stream?: PassThrough): Shard => ({
  name: 'one',
  client: { isCluster: false, stream } as unknown as Redis,
});

describe('inOneWrite', () => {
  it('M6 what sends throws → its error, and nothing is held back any more', () => {
    const stream = new PassThrough();
    const send = (): never => {
      expect(stream.writableCorked).toBe(1);
      throw new Error('not sent');
    };
    expect(() => inOneWrite([shardOver(stream)], send)).toThrow('not sent');
    expect(stream.writableCorked).toBe(0);
  });

  it('M6 a server that has not been connected to yet, and another → that one in one write', () => {
    const stream = new PassThrough();
    expect(inOneWrite([shardOver(), shardOver(stream)], () => stream.writableCorked)).toBe(1);
    expect(stream.writableCorked).toBe(0);
  });
});
