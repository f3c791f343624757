import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { CacheEvict, Cacheable } from 'nestjs-redis-cache';
import { COUNTRY_STATS_KEY, COUNTRY_TAG, FOR_EVERYBODY } from '../caching.js';
import { CountriesService, type Country, type CountryStats } from './countries.service.js';
import { CountryParams } from './country-code.js';

@Controller('countries')
export class CountriesController {
  constructor(private readonly countries: CountriesService) {}

  @Get()
  list(): Promise<Country[]> {
    return this.countries.list();
  }

  @Get(':code/stats')
  @Cacheable({ key: COUNTRY_STATS_KEY, ttl: '1h', tags: COUNTRY_TAG, http: FOR_EVERYBODY })
  stats(@Param() { code }: CountryParams): Promise<CountryStats> {
    return this.countries.stats(code);
  }

  /** Forgets the statistics; the next read computes them again. */
  @Delete(':code/stats')
  @HttpCode(204)
  @CacheEvict({ key: COUNTRY_STATS_KEY })
  forgetStats(): void {}
}
