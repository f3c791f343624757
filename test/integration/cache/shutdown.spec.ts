import { expect, it } from '@jest/globals';
import { openCache } from '../../support/caches.js';
import { Gate } from '../../support/gate.js';

it('close — a load that hangs → given up: its caller is served, others load at once, and theirs is stored', async () => {
  const closing = await openCache('single', { shutdownTimeout: 100, lease: { ttl: '30s' } });
  const { namespace } = closing;
  const staying = await openCache('single', { namespace, l1: false });
  const gate = new Gate();
  const loading = closing.service.getOrSet('k', async () => {
    await gate.pass();
    return 'late';
  });
  await gate.arrived();
  await closing.close();
  const began = performance.now();
  expect(await staying.service.getOrSet('k', () => 'theirs')).toBe('theirs');
  expect(performance.now() - began).toBeLessThan(1_000);
  gate.open();
  expect(await loading).toBe('late');
  expect(await staying.service.get('k')).toBe('theirs');
});

it.each(['getOrSet', 'getOrSetMany'] as const)(
  'K6 T11 close — in the tick in which %s is called → the load is waited for, and stored',
  async (call) => {
    const closing = await openCache('single', { failure: 'strict', lease: { ttl: '30s' } });
    const staying = await openCache('single', { namespace: closing.namespace, l1: false });
    const loading =
      call === 'getOrSet'
        ? closing.service.getOrSet('k', async () => 'ours')
        : closing.service
            .getOrSetMany(['k'], async () => [['k', 'ours']])
            .then((rows) => rows.get('k'));
    await closing.close();
    expect(await staying.service.get('k')).toBe('ours');
    expect(await loading).toBe('ours');
    expect(closing.errors).toEqual([]);
  },
);
