import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { TestCluster } from '../../support/cluster.js';

describe('the cluster of a test', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  it('moveSlot — with keys → the other master has them, and back again', async () => {
    const client = cluster.client();
    const keys = Array.from({ length: 250 }, (_, i) => `{a}${i}`);
    for (const key of keys) await client.set(key, key);
    const slot = hashSlot('{a}');
    const home = await cluster.ownerOf(slot);
    const other = cluster.nodes.find((node, i) => i < 3 && node !== home)!;
    await cluster.moveSlot(slot, other);
    expect(await other.cluster('COUNTKEYSINSLOT', slot)).toBe(250);
    expect(await home.cluster('COUNTKEYSINSLOT', slot)).toBe(0);
    await cluster.moveSlot(slot, home);
    expect(await home.cluster('COUNTKEYSINSLOT', slot)).toBe(250);
    expect(await client.get('{a}7')).toBe('{a}7');
  });
});
