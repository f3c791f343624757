import { Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

import type { InvalidationListener } from '../bus/invalidation-listener.js';
import type { InvalidationHandler } from '../bus/invalidation-feed.js';
import { CacheOptionsError } from '../common/errors.js';
import { getInvalidationListenerToken } from '../common/tokens.js';
import { heardCaches } from '../decorators/on-invalidation.decorator.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/**
 * Registers the methods with `@OnInvalidation()` of one application with one cache. In `onModuleInit`, when every instance
 * is there and nothing has been heard yet; they are taken back when the cache closes.
 */
export class OnInvalidationExplorer implements OnModuleInit {
  constructor(
    private readonly cache: { name: string; where: string; listener: InvalidationListener },
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    // Another token of the same instance is not another provider.
    const found = new Set<object>();
    for (const wrapper of wrappers) {
      const { instance } = wrapper as { instance: unknown };
      if (typeof instance !== 'object' || instance === null || found.has(instance)) continue;
      found.add(instance);
      this.register(wrapper, instance);
    }
  }

  private register(wrapper: Wrapper, instance: object): void {
    const { name, where, listener } = this.cache;
    // Null, and then the scanner finds none.
    const methods = Reflect.getPrototypeOf(instance) as Record<string, InvalidationHandler>;
    for (const method of this.scanner.getAllMethodNames(methods)) {
      const caches = heardCaches.get(methods[method]!) ?? [];
      const at = `@OnInvalidation on ${methods.constructor!.name}.${method}`;
      for (const other of caches) this.assertRegistered(other, at);
      if (!caches.includes(name) || this.hearsAnother(instance)) continue;
      if (wrapper.isTransient || !wrapper.isDependencyTreeStatic())
        new Logger(where).warn(`${at} is never called: there is no one instance of its provider`);
      else listener.on((event) => methods[method]!.call(instance, event));
    }
  }

  /** Its module has another cache of that name. What Nest has not built itself has nothing injected, and hears all of them. */
  private hearsAnother(instance: object): boolean {
    const { name, listener } = this.cache;
    const own = (instance as Record<symbol, unknown>)[getInvalidationListenerToken(name)];
    return own != null && own !== listener;
  }

  /** A cache of that name, of whichever module; a method would otherwise wait for it in vain. */
  private assertRegistered(name: string, at: string): void {
    const token = getInvalidationListenerToken(name);
    if (this.discovery.getProviders().some((provider) => provider.token === token)) return;
    throw new CacheOptionsError(at, [
      { path: 'cache', given: `'${name}'`, accepted: 'the name of a cache that is registered' },
    ]);
  }
}
