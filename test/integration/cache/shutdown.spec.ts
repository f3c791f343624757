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
