import type { RedisOptions } from 'ioredis';

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;

/** What a URL says of where it leads to. */
interface Place {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly db?: string;
}

/**
 * The server and the database that a client of these options uses, without credentials: equal for two that are one and the same,
 * through Sentinel if they name the same Sentinels. As in the client, what the URL says goes before the options. Throws a TypeError
 * for a URL that is none.
 */
export function serverOf({ url, redis = {} }: { url?: string; redis?: RedisOptions }): string {
  const said = url === undefined ? {} : placeOf(url);
  const db = Number(said.db ?? redis.db ?? 0);
  if (redis.sentinels) {
    const at = redis.sentinels.map(({ host, port = DEFAULT_SENTINEL_PORT }) => `${host}:${port}`);
    return `${redis.name} of ${at.toSorted().join()}/${db}`;
  }
  const path = said.path ?? redis.path;
  if (path) return `${path}/${db}`;
  const host = (said.host ?? redis.host ?? 'localhost').toLowerCase().replace(/^\[|\]$/g, '');
  return `${host}:${said.port ?? redis.port ?? DEFAULT_PORT}/${db}`;
}

/** How a server is called to which only a URL leads: host and port, or the path of the socket. */
export function addressOf(url: string): string {
  const { host, port = DEFAULT_PORT, path } = placeOf(url);
  return path ?? `${host}:${port}`;
}

function placeOf(url: string): Place {
  const withScheme = url.replace(/^(?=\/)/, 'unix://');
  const { protocol, hostname, port, pathname, searchParams } = new URL(withScheme);
  if (!/^(rediss?|unix):$/.test(protocol)) throw new TypeError('no URL of a Redis server');
  const db = searchParams.get('db') ?? undefined;
  if (hostname === '') return { path: pathname, db };
  return {
    host: hostname.toLowerCase(),
    port: port === '' ? undefined : Number(port),
    db: pathname.slice(1) || db,
  };
}
