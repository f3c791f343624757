/** The entry point for tests, as `app.ts`. */
import assert from 'node:assert/strict';
import { createTestCache, type TestCache } from 'nestjs-redis-cache/testing';

async function main(): Promise<void> {
  const test: TestCache = createTestCache({ ttl: '5m' });
  await test.cache.getOrSet('a', () => 1);
  await test.clock.advance('6m');
  assert.equal(await test.cache.get('a'), undefined);
  await test.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
