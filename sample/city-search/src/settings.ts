import { fileURLToPath } from 'node:url';
import { Global, Injectable, Module } from '@nestjs/common';

const PROJECT = new URL('../../../', import.meta.url);

/** What the environment says: PORT, REDIS_URL, CITY_SEARCH_DATA. */
@Injectable()
export class Settings {
  /** 0: any free port. */
  readonly port = portOf(process.env.PORT);
  /** Where the cache lives; absent: in this process. */
  readonly redisUrl = process.env.REDIS_URL || undefined;
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

function directoryOf(text = ''): string | undefined {
  return text === 'memory'
    ? undefined
    : text || fileURLToPath(new URL('.cache/city-search', PROJECT));
}
