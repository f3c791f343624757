import { describe, expect, it } from '@jest/globals';
import type { ModuleRef } from '@nestjs/core';
import { Caches, injectedBy } from '../../../lib/http/caches.js';

const empty = {
  get() {
    throw new Error('Nest could not find it');
  },
} as unknown as ModuleRef;

describe('Caches', () => {
  it.each([
    ['default', 'RedisCacheModule.forRoot()'],
    ['reports', "RedisCacheModule.forRoot({ name: 'reports' })"],
  ])('K1 no cache %s → an error that says how one is registered', (name, registration) => {
    const asking = { where: '@Cacheable on Cats.show', controller: class Cats {} };
    expect(() => new Caches(empty, undefined).named(name, asking)).toThrow(
      expect.objectContaining({
        code: 'ERR_CACHE_OPTIONS',
        problems: [
          expect.objectContaining({
            given: `'${name}'`,
            accepted: `the name of a cache that is registered: ${registration}`,
          }),
        ],
      }),
    );
  });
});

describe('injectedBy', () => {
  it('K1 Nest has found several, as some versions of 11 do → the last one, which it injects', () => {
    const [token, other] = [Symbol('cache'), Symbol('another')];
    const found = [
      [token, 'global'],
      [token, 'own'],
      [other, 'another'],
    ].map(([key, instance]) => ({ key, wrapper: { instance } }));
    const wrapper = { getPropertiesMetadata: () => found } as any;
    expect(injectedBy(token!, wrapper)).toBe('own');
    expect(injectedBy(Symbol('none'), wrapper)).toBeUndefined();
  });
});
