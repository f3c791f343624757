import { Inject } from '@nestjs/common';

import { getCacheToken } from '../common/tokens.js';

/**
 * Injects the `CacheService` that was registered with this `name`; without one, the unnamed.
 *
 * @example
 * constructor(@InjectCache('reports') private readonly reports: CacheService) {}
 *
 * @publicApi
 */
export function InjectCache(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getCacheToken(name));
}
