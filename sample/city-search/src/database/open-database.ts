import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { loadCities, readCities, type ReportProgress } from './cities.loader.js';

/** To be raised when the schema or its rows change: an older directory is left alone and a new one is made. */
const SCHEMA_VERSION = 1;

/** Opens the database in `directory`, loading the cities if it is not there yet; without a directory in memory. */
export function openDatabase(
  directory: string | undefined,
  report: ReportProgress,
): Promise<PGlite> {
  return directory === undefined
    ? createDatabase(undefined, report)
    : openOrCreate(join(directory, `cities-${SCHEMA_VERSION}`), report);
}

/** The directory gets its name when everything is in it, so that one left by an interrupted start is never opened. */
async function openOrCreate(path: string, report: ReportProgress): Promise<PGlite> {
  if (!existsSync(path)) {
    const unfinished = `${path}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    const db = await createDatabase(unfinished, report);
    await db.close();
    renameSync(unfinished, path);
  }
  try {
    return await PGlite.create(path);
  } catch (error) {
    throw new Error(
      `The database in ${path} does not open; delete that directory and start again.`,
      {
        cause: error,
      },
    );
  }
}

async function createDatabase(path: string | undefined, report: ReportProgress): Promise<PGlite> {
  const cities = readCities();
  report({ rows: 0, total: cities.length });
  const db = await PGlite.create({ dataDir: path, relaxedDurability: true });
  await loadCities(db, cities, report);
  return db;
}
