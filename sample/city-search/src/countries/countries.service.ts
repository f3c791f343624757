import { Injectable, NotFoundException } from '@nestjs/common';
import { CacheService } from 'nestjs-redis-cache';
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

  async stats(code: string): Promise<CountryStats> {
    const [statistics] = await this.db.query<Statistics>(COUNTRY_STATS, [code]);
    if (!statistics) throw new NotFoundException(`There is no country ${code} with a city`);
    return { country: { code, name: nameOf(code) }, neighbourKm: NEIGHBOUR_KM, ...statistics };
  }

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
