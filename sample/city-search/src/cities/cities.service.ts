import { BadRequestException, Injectable } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { Cacheable, CachePut, CacheService } from 'nestjs-redis-cache';
import { Database } from '../database/database.js';
import type { CityChange, SearchQuery } from './cities.dto.js';
import { cityKey, CityUpdated, type City, type SearchResult } from './city.js';
import { searchable } from './searchable.js';

const COLUMNS = 'id, name, region, country, lat, lng';
const SEARCH_LIMIT = 25;

@Injectable()
export class CitiesService {
  constructor(
    private readonly db: Database,
    private readonly cache: CacheService,
    private readonly events: EventEmitter2,
  ) {}

  /** Names that contain the text anywhere; equal ones first, then those that begin with it. */
  async search({ name, country }: SearchQuery): Promise<SearchResult> {
    const rows = await this.db.query<City & { total: number }>(
      `SELECT ${COLUMNS}, count(*) OVER ()::int AS total
         FROM cities
        WHERE strpos(search, $1) > 0 AND ($2::text IS NULL OR country = $2)
        ORDER BY search <> $1, NOT starts_with(search, $1), search, country, id
        LIMIT ${SEARCH_LIMIT}`,
      [searchable(name), country ?? null],
    );
    return { total: rows[0]?.total ?? 0, cities: rows.map(withoutTotal) };
  }

  /** The compiler compares the key with the method: its parameters, and what it gives. */
  @Cacheable({ key: cityKey })
  async find(id: number): Promise<City | null> {
    return (await this.select([id]))[0] ?? null;
  }

  /** Those that there are, in the order of the ids. One statement for all that are not cached, none if all are. */
  async findMany(ids: number[]): Promise<City[]> {
    const found = await this.cache.getOrSetMany(ids.map(cityKey), async (missing) => {
      const wanted = missing.map(([, id]) => id as number);
      const cities = new Map((await this.select(wanted)).map((city) => [city.id, city]));
      // Each key gets an answer: what is left out would be asked for again the next time.
      return wanted.map((id) => [cityKey(id), cities.get(id) ?? null] as const);
    });
    return [...found.values()].filter((city) => city !== null);
  }

  /**
   * Its answer is the entry from then on. While it runs nobody caches the city, so no read that began before it can put the
   * old one back. Resolves when every listener is done: who reads after the answer sees nothing from before.
   */
  @CachePut({ key: cityKey })
  async update(id: number, { name, lat, lng }: CityChange): Promise<City | null> {
    if (name === undefined && lat === undefined && lng === undefined) {
      throw new BadRequestException('Nothing to change: give at least one of name, lat, lng');
    }
    const [city] = await this.db.query<City>(
      `UPDATE cities
          SET name = coalesce($2, name), search = coalesce($3, search),
              lat = coalesce($4, lat), lng = coalesce($5, lng)
        WHERE id = $1
      RETURNING ${COLUMNS}`,
      [id, name ?? null, name === undefined ? null : searchable(name), lat ?? null, lng ?? null],
    );
    if (!city) return null;
    await this.events.emitAsync(CityUpdated.event, new CityUpdated(city));
    return city;
  }

  private select(ids: number[]): Promise<City[]> {
    return this.db.query<City>(`SELECT ${COLUMNS} FROM cities WHERE id = ANY ($1::int[])`, [ids]);
  }
}

function withoutTotal({ id, name, region, country, lat, lng }: City): City {
  return { id, name, region, country, lat, lng };
}
