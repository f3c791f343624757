import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { BuiltSample, type RunningSample } from './built-sample.js';

/** Two compilers and, the first time, 171 000 rows. */
const START_TIMEOUT_MS = 120_000;

/** Statistics take half a second, and much longer on a machine that runs other tests beside them. */
jest.setTimeout(30_000);

interface City {
  id: number;
  name: string;
  lat: number;
}

interface Answer<T> {
  status: number;
  cache: string | null;
  body: T;
  headers: Headers;
}

let sample: BuiltSample;
let redis: TestServer;

beforeAll(async () => {
  [sample, redis] = await Promise.all([BuiltSample.build(), startServer()]);
}, START_TIMEOUT_MS);

afterAll(async () => {
  await redis?.stop();
  await sample?.remove();
});

describe.each([
  { topology: 'memory', says: 'memory', environment: () => ({}) },
  {
    topology: 'redis',
    says: 'single, Redis at',
    environment: () => ({ REDIS_URL: redis.url }),
  },
])('city search, topology $topology', ({ topology, says, environment }) => {
  let running: RunningSample;
  let url: string;

  beforeAll(async () => {
    running = sample.start(environment());
    url = await running.url();
  }, START_TIMEOUT_MS);

  afterAll(() => running?.stop('SIGKILL'));

  async function call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(url + path, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
      }),
    });
    const text = await response.text();
    const { status, headers } = response;
    const isJson = headers.get('Content-Type')?.includes('json');
    return {
      status,
      headers,
      cache: headers.get('X-Cache'),
      body: (isJson ? JSON.parse(text) : text) as T,
    };
  }
  const get = <T>(path: string) => call<T>('GET', path);

  async function findCity(name: string, country: string): Promise<City> {
    const { body } = await get<{ cities: City[] }>(`/cities?name=${name}&country=${country}`);
    return body.cities[0]!;
  }

  it('start — done → says its address and the topology', () => {
    expect(running.output).toContain(`City search: ${url} (cache topology: ${says}`);
  });

  it.each(['/cities?name=sao paulo&country=BR', '/cities/4711', '/countries/CH/stats'])(
    'GET %s — twice → a miss, then a hit with the same body',
    async (path) => {
      const first = await get(path);
      const second = await get(path);
      expect(first).toMatchObject({ status: 200, cache: 'MISS' });
      expect(second).toMatchObject({ status: 200, cache: 'HIT' });
      expect(second.body).toEqual(first.body);
      expect(second.headers.get('Server-Timing')).toMatch(/^total;dur=\d/);
    },
  );

  it('GET /cities — accents, capitals, a part of the name → found, the exact name first', async () => {
    const { body } = await get<{ total: number; cities: City[] }>('/cities?name=ZURICH&country=CH');
    expect(body.cities[0]!.name).toBe('Zürich');
    expect(body.total).toBeGreaterThan(1);
  });

  it('GET /countries — twice → the same list, which the service caches', async () => {
    const { status, body } = await get<{ name: string }[]>('/countries');
    expect(status).toBe(200);
    expect(body.length).toBeGreaterThan(200);
    expect((await get('/countries')).body).toEqual(body);
  });

  it('GET /countries/:code/stats — across 180° → the narrow box', async () => {
    const { body } = await get<{ box: { west: number; east: number } }>('/countries/FJ/stats');
    expect(body.box.west).toBeGreaterThan(170);
    expect(body.box.east).toBeLessThan(-170);
  });

  it('PATCH /cities/:id — cached → the city and its country are evicted, another country is not', async () => {
    const city = await findCity('vik', 'IS');
    const paths = [`/cities/${city.id}`, '/countries/IS/stats', '/countries/NO/stats'];
    for (const path of paths) await get(path);
    for (const path of paths) expect((await get(path)).cache).toBe('HIT');

    const name = `Vík by ${topology}`;
    const updated = await call<City>('PATCH', paths[0]!, { name: ` ${name} `, lat: 70 });
    expect(updated).toMatchObject({ status: 200, body: { id: city.id, name, lat: 70 } });

    const [read, stats, others] = await Promise.all(paths.map((path) => get(path)));
    expect(read).toMatchObject({ cache: 'MISS', body: { name, lat: 70 } });
    expect(stats).toMatchObject({ cache: 'MISS', body: { northernmost: { id: city.id, name } } });
    expect(others!.cache).toBe('HIT');
  });

  it('PATCH /cities/:id — searches → show it at once, there and everywhere; elsewhere stay', async () => {
    const name = `Tromso by ${topology}`;
    const searches = ['&country=NO', '', '&country=SE'].map(
      (where) => `/cities?name=${name}${where}`,
    );
    for (const search of searches)
      expect(await get(search)).toMatchObject({ cache: 'MISS', body: { total: 0 } });
    const { id } = await findCity('tromso', 'NO');
    await call('PATCH', `/cities/${id}`, { name });
    const found = { cache: 'MISS', body: { total: 1, cities: [{ id, name }] } };
    const [there, everywhere, elsewhere] = await Promise.all(searches.map((path) => get(path)));
    expect([there, everywhere]).toMatchObject([found, found]);
    expect(elsewhere).toMatchObject({ cache: 'HIT', body: { total: 0 } });
  });

  it('DELETE /countries/:code/stats — cached → the next read is a miss', async () => {
    await get('/countries/AT/stats');
    expect(await get('/countries/AT/stats')).toMatchObject({ cache: 'HIT' });
    expect(await call('DELETE', '/countries/AT/stats')).toMatchObject({ status: 204 });
    expect(await get('/countries/AT/stats')).toMatchObject({ cache: 'MISS' });
  });

  it.each<{ asked: [method: string, path: string, body?: unknown]; status: number; says: string }>([
    { asked: ['GET', '/cities/999999'], status: 404, says: 'There is no city 999999' },
    { asked: ['PATCH', '/cities/999999', { name: 'x' }], status: 404, says: 'There is no city' },
    { asked: ['GET', '/countries/ZZ/stats'], status: 404, says: 'There is no country ZZ' },
    { asked: ['GET', '/cities'], status: 400, says: 'name must be' },
    { asked: ['GET', '/cities?name=x'], status: 400, says: 'name must be longer' },
    { asked: ['GET', '/cities?name=xx&page=2'], status: 400, says: 'page should not exist' },
    { asked: ['GET', '/cities/042'], status: 400, says: 'without leading zeros' },
    { asked: ['GET', '/countries/fr/stats'], status: 400, says: 'two capital letters' },
    { asked: ['PATCH', '/cities/42', {}], status: 400, says: 'at least one of name, lat, lng' },
    { asked: ['PATCH', '/cities/42', { lat: 90.5 }], status: 400, says: 'lat must be' },
    { asked: ['PATCH', '/cities/42', { name: null }], status: 400, says: 'name must be a string' },
  ])('wrong requests — $asked → $status both times', async ({ asked, status, says: text }) => {
    for (let time = 1; time <= 2; time++) {
      const answer = await call<{ message: string | string[] }>(...asked);
      expect(answer.status).toBe(status);
      expect(String(answer.body.message)).toContain(text);
      expect(answer.cache).not.toBe('HIT');
    }
  });

  it('GET / — a browser → one page that credits GeoNames and loads nothing', async () => {
    const { status, headers, body } = await get<string>('/');
    expect(status).toBe(200);
    expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    expect(body).toContain('https://creativecommons.org/licenses/by/4.0/');
    expect(body).not.toMatch(/\bsrc=|@import|<link [^>]*href="http/);
  });

  it('SIGTERM — idle → ends by itself, with code 0', async () => {
    expect(await running.stop()).toBe(0);
    expect(running.output).not.toMatch(/error/i);
  });
});

describe('city search', () => {
  it('PATCH /cities/:id — Redis has ended → updated, and read from the database', async () => {
    const running = sample.start({ REDIS_URL: redis.url });
    const url = await running.url();
    // The database is there from the first start.
    expect(running.output).not.toContain('Loading');
    try {
      await fetch(`${url}/cities/4712`);
      await redis.kill();
      const read = await fetch(`${url}/cities/4712`);
      expect(read.status).toBe(200);
      const update = await fetch(`${url}/cities/4712`, {
        method: 'PATCH',
        body: '{"name":"Without Redis"}',
        headers: { 'Content-Type': 'application/json' },
      });
      expect(update.status).toBe(200);
      expect(await (await fetch(`${url}/cities/4712`)).json()).toMatchObject({
        name: 'Without Redis',
      });
    } finally {
      expect(await running.stop()).toBe(0);
    }
  });

  it('start — a port in use → says so, with code 1', async () => {
    const server = createServer().listen(0);
    const { port } = server.address() as AddressInfo;
    const running = sample.start({ PORT: String(port) });
    expect(await running.exitCode()).toBe(1);
    expect(running.output).toContain(`Port ${port} is in use. Stop what listens there`);
    server.close();
  });

  it.each([
    [{ PORT: 'http' }, 'PORT is "http"; it must be a whole number'],
    [{ REDIS_URL: 'nonsense' }, 'topology.url'],
  ])('start — %j → says what is wrong, with code 1', async (environment, text) => {
    const running = sample.start(environment);
    expect(await running.exitCode()).toBe(1);
    expect(running.output).toContain(text);
  });
});
