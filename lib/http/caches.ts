import { Logger } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { engineOf, type CacheService } from '../cache/cache.service.js';
import { notRegistered } from '../cache/decorated/option-rules.js';
import { DEFAULT_CACHE, getCacheToken } from '../common/tokens.js';
import type { HttpCache } from './http-cache.js';

/**
 * The caches of this application by their names; looked up when a request first needs one, wherever it was imported. The unnamed
 * one is that of the controller's own module where it has one, as it is for methods.
 */
export class Caches {
  private readonly found = new Map<string, HttpCache | undefined>();

  /** `own`: what Nest injects for `CacheService`, if anything. */
  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly own: CacheService | undefined,
  ) {}

  /**
   * Undefined where a test has put something else in the place of the service. Throws `CacheOptionsError` where no cache of
   * that name is registered.
   */
  named(name: string, where: string): HttpCache | undefined {
    if (!this.found.has(name)) this.found.set(name, engineOf(this.service(name, where)));
    return this.found.get(name);
  }

  private service(name: string, where: string): CacheService {
    if (this.own && name === DEFAULT_CACHE) return this.own;
    try {
      return this.moduleRef.get<CacheService>(getCacheToken(name), { strict: false });
    } catch (cause) {
      throw Object.assign(notRegistered(where, name), { cause });
    }
  }
}

/** Says each thing once. Bounded by the number of decorated handlers times the things there are to say of one. */
export class Warnings {
  private readonly logger = new Logger('RedisCacheModule');
  private readonly said = new Set<string>();

  /** `cause` may differ each time, and does not count. */
  once(where: string, text: string, cause?: unknown): void {
    const message = `${where}: ${text}`;
    if (this.said.has(message)) return;
    this.said.add(message);
    this.logger.warn(cause instanceof Error ? `${message} (${cause.message})` : message);
  }

  error(where: string, text: string, error: unknown): void {
    this.logger.error(`${where}: ${text}`, error instanceof Error ? error.stack : String(error));
  }
}
