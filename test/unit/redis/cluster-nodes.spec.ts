import { describe, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { ownerOf, ownersIn } from '../../../lib/redis/cluster-nodes.js';

/** What a client knows that has been told of these slots. */
const knowing = (slots: Record<number, string[]>): Cluster =>
  ({ slots: Object.assign([], slots) }) as unknown as Cluster;

describe('the masters of a cluster', () => {
  it('T3 ownerOf — nobody has the slot, or is known to → undefined', () => {
    expect(ownerOf(knowing({ 8: ['a:1', 'b:1'] }), 8)).toBe('a:1');
    expect(ownerOf(knowing({ 8: ['a:1'] }), 7)).toBeUndefined();
    expect(ownerOf(knowing({}), 7)).toBeUndefined();
  });

  it('T13 ownersIn — slots that nobody has, before and between → all masters, each once', () => {
    const cluster = knowing({ 1: ['a:1', 'b:1'], 2: ['a:1', 'b:1'], 9: ['c:1'], 16_383: ['a:1'] });
    expect(ownersIn(cluster)).toEqual(['a:1', 'c:1']);
    expect(ownersIn(knowing({}))).toEqual([]);
  });
});
