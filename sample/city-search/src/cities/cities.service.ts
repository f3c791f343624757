import { BadRequestException, Injectable, NotFoundException } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { Database } from '../database/database.js';
import type { CityChange, SearchQuery } from './cities.dto.js';
import { CityUpdated, type City, type SearchResult } from './city.js';
import { searchable } from './searchable.js';

const COLUMNS = 'id, name, region, country, lat, lng';
const SEARCH_LIMIT = 25;

@Injectable()
export class CitiesService {
  constructor(
    private readonly db: Database,
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

  async find(id: number): Promise<City> {
    const sql = `SELECT ${COLUMNS} FROM cities WHERE id = $1`;
    return this.found(id, await this.db.query<City>(sql, [id]));
  }

  /** Resolves when every listener is done: who reads after the answer sees no entry from before. */
  async update(id: number, { name, lat, lng }: CityChange): Promise<City> {
    if (name === undefined && lat === undefined && lng === undefined) {
      throw new BadRequestException('Nothing to change: give at least one of name, lat, lng');
    }
    const city = this.found(
      id,
      await this.db.query<City>(
        `UPDATE cities
            SET name = coalesce($2, name), search = coalesce($3, search),
                lat = coalesce($4, lat), lng = coalesce($5, lng)
          WHERE id = $1
        RETURNING ${COLUMNS}`,
        [id, name ?? null, name === undefined ? null : searchable(name), lat ?? null, lng ?? null],
      ),
    );
    await this.events.emitAsync(CityUpdated.event, new CityUpdated(city));
    return city;
  }

  private found(id: number, [city]: City[]): City {
    if (!city) throw new NotFoundException(`There is no city ${id}`);
    return city;
  }
}

function withoutTotal({ id, name, region, country, lat, lng }: City): City {
  return { id, name, region, country, lat, lng };
}
