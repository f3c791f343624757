import { Injectable } from '@nestjs/common';
import { OnEvent } from '@nestjs/event-emitter';
import { CacheEvict } from 'nestjs-redis-cache';
import { STATISTICS } from '../caches/statistics.js';
import { countryTag, EVERYWHERE_TAG } from '../caches/tags.js';
import { CityUpdated } from './city.js';

/**
 * Knows what else a city is in, so that who changes a city need not. An update is not undone because Redis is away: an
 * evict that does not get through is retried, and until then this instance does not read what it concerns.
 */
@Injectable()
export class CityUpdatedListener {
  @OnEvent(CityUpdated.event)
  @CacheEvict({ tags: ({ city }: CityUpdated) => [countryTag(city.country), EVERYWHERE_TAG] })
  @CacheEvict({ cache: STATISTICS, tags: ({ city }: CityUpdated) => [countryTag(city.country)] })
  forget(_event: CityUpdated): void {}
}
