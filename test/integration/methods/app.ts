import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach } from '@jest/globals';
import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CacheService, engineOf } from '../../../lib/cache/cache.service.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { NOTHING_PENDING, topologyOptions } from '../../support/caches.js';

/** Where methods are tried: what they do does not depend on how many servers there are. */
export const PLACES = ['memory', 'single'] as const;

export interface TestModule {
  readonly module: TestingModule;
  readonly cache: CacheService;
  readonly namespace: string;
  /** Warnings and errors of Nest's logger. */
  readonly log: string[];
}

const open: TestingModule[] = [];

/** A module with these providers, closed after the test; nothing may still run or wait by then. */
export async function start(
  topology: (typeof PLACES)[number],
  metadata: ModuleMetadata,
  options: Partial<RedisCacheOptions> = {},
): Promise<TestModule> {
  const namespace = options.namespace ?? `t${randomBytes(6).toString('hex')}`;
  const given = { topology: await topologyOptions(topology), ...options, namespace };
  const log: string[] = [];
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [RedisCacheModule.forRoot(given), ...(metadata.imports ?? [])],
  })
    .setLogger(collect(log))
    .compile();
  open.push(module);
  await module.init();
  return { module, cache: module.get(CacheService), namespace, log };
}

/** A module without a cache, closed after the test. */
export async function startWithout(metadata: ModuleMetadata): Promise<Omit<TestModule, 'cache'>> {
  const log: string[] = [];
  const module = await Test.createTestingModule(metadata).setLogger(collect(log)).compile();
  open.push(module);
  await module.init();
  return { module, namespace: '', log };
}

afterEach(async () => {
  for (const module of open.splice(0)) {
    const caches = cachesOf(module);
    await module.close();
    for (const cache of caches) assert.deepEqual(engineOf(cache)?.pending(), NOTHING_PENDING);
  }
});

function cachesOf(module: TestingModule): CacheService[] {
  try {
    return module.get(CacheService, { strict: false, each: true });
  } catch {
    return []; // a module without a cache
  }
}

export function collect(log: string[]): LoggerService {
  const ignore = (): void => undefined;
  const keep = (message: unknown): void => void log.push(String(message));
  return { log: ignore, debug: ignore, verbose: ignore, warn: keep, error: keep, fatal: keep };
}
