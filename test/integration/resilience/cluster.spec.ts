import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCache } from '../../support/caches.js';
import { TestCluster } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';

/** The client gives up a node after some five seconds, and makes another connection only when it is called. */
const LONG_MS = 7_000;

describe('one master of a cluster does not answer', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({ masters: 3, replicas: 0 });
  }, 60_000);
  afterAll(() => cluster.stop());

  it('killed for long, nobody takes over → the others are not concerned; hits again once it is back', async () => {
    const [killed, other] = cluster.nodes;
    const log: string[] = [];
    const { service } = await openCache(
      { type: 'cluster', nodes: [other!.address] },
      { l1: false },
      { log: { warn: (line) => log.push(line) } },
    );
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const load = (): Promise<unknown> =>
      Promise.all(keys.map((key) => service.getOrSet(key, () => 'v')));
    const hits = async (): Promise<number> => (await service.getMany(keys)).size;
    await waitFor(async () => (await load(), (await hits()) === keys.length));

    await killed!.server.kill();
    const endsAt = performance.now() + LONG_MS;
    let [least, most] = [Infinity, 0];
    while (performance.now() < endsAt) {
      await load();
      const found = await hits();
      [least, most] = [Math.min(least, found), Math.max(most, found)];
      await sleep(20);
    }
    expect(least).toBeGreaterThan(5);
    expect(most).toBeLessThan(keys.length);
    const about = (words: string): string[] => log.filter((line) => line.includes(words));
    // A heartbeat goes to any master, and five in a row may meet this one: that is said of the cluster as a whole.
    const others = about('does not answer, and').filter(
      (line) => !line.startsWith(killed!.address) && !line.includes('heartbeat failed at cluster'),
    );
    expect(others).toEqual([]);

    await killed!.server.restart();
    await waitFor(async () => (await load(), (await hits()) === keys.length), {
      timeoutMs: 20_000,
    });
    expect(about('does not answer, and').length).toBeGreaterThan(0);
    expect(about('answers again').length).toBeGreaterThan(0);
  }, 60_000);
});
