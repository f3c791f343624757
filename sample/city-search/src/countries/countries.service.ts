import { Injectable } from '@nestjs/common';
import { Cacheable, CacheEvict, CacheService, typedKey } from 'nestjs-redis-cache';
import { STATISTICS } from '../caches/statistics.js';
import { countryTag } from '../caches/tags.js';
import { Database } from '../database/database.js';
import { COUNTRY_STATS, NEIGHBOUR_KM } from './country-stats.sql.js';

export interface Country {
  readonly code: string;
  readonly name: string;
  readonly cities: number;
}

interface CityName {
  readonly id: number;
  readonly name: string;
}

interface Statistics {
  readonly cities: number;
  /** Degrees; west > east where it crosses 180°. */
  readonly box: { south: number; north: number; west: number; east: number };
  readonly northernmost: CityName;
  readonly southernmost: CityName;
  readonly westernmost: CityName;
  readonly easternmost: CityName;
  /** Of the cities that have a neighbour; null where none has. */
  readonly medianKmToNearest: number | null;
  readonly withoutNeighbour: number;
  readonly mostNeighbours: (CityName & { neighbours: number }) | null;
}

export interface CountryStats extends Statistics {
  readonly country: Omit<Country, 'cities'>;
  /** Up to this distance two cities of the country are neighbours. */
  readonly neighbourKm: number;
}

/** Read and evicted by the same key, which is spelled here alone. */
const statsKey = (code: string) => typedKey<CountryStats | null>(['stats', code]);

const NAMES = new Intl.DisplayNames('en', { type: 'region' });

@Injectable()
export class CountriesService {
  constructor(
    private readonly db: Database,
    private readonly cache: CacheService,
  ) {}

  /** By name. No update moves a city to another country, so nothing evicts this. */
  list(): Promise<Country[]> {
    return this.cache.getOrSet('countries', () => this.count(), { ttl: '1h' });
  }

  /** Cached as a value: a response has no grace, and could not be given while the new one is computed. */
  @Cacheable({
    cache: STATISTICS,
    key: statsKey,
    tags: (code: string) => [countryTag(code)],
  })
  async stats(code: string): Promise<CountryStats | null> {
    const [statistics] = await this.db.query<Statistics>(COUNTRY_STATS, [code]);
    if (!statistics) return null;
    return { country: { code, name: nameOf(code) }, neighbourKm: NEIGHBOUR_KM, ...statistics };
  }

  @CacheEvict({ cache: STATISTICS, key: statsKey })
  async forgetStats(_code: string): Promise<void> {}

  private async count(): Promise<Country[]> {
    const rows = await this.db.query<{ code: string; cities: number }>(
      'SELECT country AS code, count(*)::int AS cities FROM cities GROUP BY country',
    );
    return rows
      .map(({ code, cities }) => ({ code, name: nameOf(code), cities }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en'));
  }
}

function nameOf(code: string): string {
  return NAMES.of(code) ?? code;
}
