import { Injectable } from '@nestjs/common';
import { OnEvent } from '@nestjs/event-emitter';
import { CacheService } from 'nestjs-redis-cache';
import { cityKey, countryTag, EVERYWHERE_TAG } from '../caching.js';
import { CityUpdated } from './city.js';

/** Knows which entries a city is in, so that who changes a city need not. */
@Injectable()
export class CityUpdatedListener {
  constructor(private readonly cache: CacheService) {}

  @OnEvent(CityUpdated.event)
  async evict({ city }: CityUpdated): Promise<void> {
    await this.cache.evict(cityKey(city.id));
    await this.cache.evictTags([countryTag(city.country), EVERYWHERE_TAG]);
  }
}
