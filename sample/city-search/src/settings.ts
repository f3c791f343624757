import { fileURLToPath } from 'node:url';
import { Global, Injectable, Module } from '@nestjs/common';

const PROJECT = new URL('../../../', import.meta.url);

/** What the environment says: PORT, INSTANCES, REDIS_URL, STATISTICS_TTL, CITY_SEARCH_DATA. */
@Injectable()
export class Settings {
  /** Of the first instance, the others have those that follow; 0: any free ports. */
  readonly port = portOf(process.env.PORT);
  /** Where the caches live; absent: in this process. */
  readonly redisUrl = process.env.REDIS_URL || undefined;
  /** How many times the application runs here, each by itself but for the database. */
  readonly instances = instancesOf(process.env.INSTANCES, this.redisUrl);
  /** How long a country's statistics are current. */
  readonly statisticsTtl = process.env.STATISTICS_TTL || '30s';
  /** Where the database lives; absent: in memory, loaded anew at each start. */
  readonly dataDirectory = directoryOf(process.env.CITY_SEARCH_DATA);
}

@Global()
@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

function portOf(text = ''): number {
  const port = Number(text || 3000);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`PORT is ${JSON.stringify(text)}; it must be a whole number from 0 to 65535.`);
}

function instancesOf(text = '', redisUrl: string | undefined): number {
  const instances = Number(text || 1);
  if (!Number.isInteger(instances) || instances < 1 || instances > 8)
    throw new Error(`INSTANCES is ${JSON.stringify(text)}; it must be a whole number from 1 to 8.`);
  if (instances === 1 || redisUrl) return instances;
  throw new Error(
    `INSTANCES is ${instances} without REDIS_URL: their caches would know nothing of each other's evicts. ` +
      'Give them a Redis: REDIS_URL=redis://localhost:6379 INSTANCES=2 npm start',
  );
}

function directoryOf(text = ''): string | undefined {
  return text === 'memory'
    ? undefined
    : text || fileURLToPath(new URL('.cache/city-search', PROJECT));
}
