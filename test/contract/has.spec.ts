import { describe, expect, it } from '@jest/globals';
import { openCache, VARIANTS } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('has on %s', (_name, topology, options) => {
  it('B4 has — a value, null → true; absent, evicted, another version → false', async () => {
    const { service } = await openCache(topology, options);
    await service.set('value', 1, { version: 2, tags: ['t'] });
    await service.set('null', null);
    expect(await service.has('value')).toBe(true);
    expect(await service.has('value', { version: 2 })).toBe(true);
    expect(await service.has('value', { version: 3 })).toBe(false);
    expect(await service.has('null')).toBe(true);
    expect(await service.has('absent')).toBe(false);
    await service.evictTags('t');
    expect(await service.has('value')).toBe(false);
    await service.evict('null');
    expect(await service.has('null')).toBe(false);
  });

  it('B4 has — past its ttl, kept in grace → false', async () => {
    const { service } = await openCache(topology, { ...options, grace: '1m' });
    await service.set('key', 1, { ttl: 30 });
    await waitFor(async () => !(await service.has('key')));
    expect(await service.inspect('key')).toMatchObject({ state: 'stale' });
  });

  it('B4 has — somebody loads, or writes → false', async () => {
    const { service } = await openCache(topology, options);
    const gate = new Gate();
    const load = service.getOrSet('load', async () => (await gate.pass(), 1));
    const write = service.withWrite('write', () => gate.pass());
    await waitFor(async () => (await service.inspect('load'))?.state === 'loading');
    await waitFor(async () => (await service.inspect('write'))?.state === 'writing');
    expect(await service.has('load')).toBe(false);
    expect(await service.has('write')).toBe(false);
    gate.open();
    await Promise.all([load, write]);
    expect(await service.has('load')).toBe(true);
  });
});
