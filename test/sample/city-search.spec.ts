import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Settings } from '../../sample/city-search/src/settings.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { BuiltSample, type RunningSample } from './built-sample.js';
import { Client, type City, type Country } from './client.js';

/** Two compilers and, the first time, 171 000 rows. */
const START_TIMEOUT_MS = 120_000;

/** Statistics take half a second, and much longer on a machine that runs other tests beside them. */
jest.setTimeout(30_000);

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
  let api: Client;

  beforeAll(async () => {
    running = sample.start({ ...environment(), STATISTICS_TTL: '10m' });
    api = new Client((await running.urls())[0]!);
  }, START_TIMEOUT_MS);

  afterAll(() => running?.stop('SIGKILL'));

  it('start — done → says its address and the topology', () => {
    expect(running.output).toContain(`City search: ${api.url} (cache topology: ${says}`);
  });

  it.each([
    '/cities?name=sao paulo&country=BR',
    '/cities/4711',
    '/countries/SI/stats',
    '/countries',
  ])('P1 A1 D1 GET %s — twice → a miss, then a hit with the same body', async (path) => {
    const first = await api.get(path);
    const second = await api.get(path);
    expect(first).toMatchObject({ status: 200, counts: { hits: 0, misses: 1, loads: 1 } });
    expect(second).toMatchObject({ status: 200, counts: { hits: 1, misses: 0, loads: 0 } });
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('Server-Timing')).toMatch(/^total;dur=\d/);
  });

  it('P5 GET /cities — a stored answer → X-Cache, and 304 for who has it', async () => {
    const search = '/cities?name=linz';
    const headers = [await api.get(search), await api.get(search)].map(({ headers }) => headers);
    expect(headers.map((each) => each.get('X-Cache'))).toEqual(['MISS', 'HIT']);
    const etag = headers[1]!.get('ETag')!;
    expect(await api.get(search, { 'If-None-Match': etag })).toMatchObject({ status: 304 });
  });

  it('GET /cities — accents, capitals, a part of the name → found, the exact name first', async () => {
    const { body } = await api.get<{ total: number; cities: City[] }>(
      '/cities?name=ZURICH&country=CH',
    );
    expect(body.cities[0]!.name).toBe('Zürich');
    expect(body.total).toBeGreaterThan(1);
  });

  it('GET /countries — read → all countries', async () => {
    const { body } = await api.get<Country[]>('/countries');
    expect(body.length).toBeGreaterThan(200);
  });

  it('GET /countries/:code/stats — across 180° → the narrow box', async () => {
    const { body } = await api.get<{ box: { west: number; east: number } }>('/countries/FJ/stats');
    expect(body.box.west).toBeGreaterThan(170);
    expect(body.box.east).toBeLessThan(-170);
  });

  it('M4 GET /cities/several — some are cached → one load, of the others alone; then none', async () => {
    await api.get('/cities/1002'); // the entry that a single read has made
    const path = '/cities/several?ids=1003,1001,1002,999998';
    const before = await api.databaseCounts();
    const first = await api.get<City[]>(path);
    const after = await api.databaseCounts();
    expect(first.body.map(({ id }) => id)).toEqual([1003, 1001, 1002]);
    expect(first.counts).toMatchObject({ hits: 1, misses: 3, loads: 1 });
    expect(after).toEqual({ statements: before.statements + 1, rows: before.rows + 2 });

    const second = await api.get<City[]>(path);
    expect(second.body).toEqual(first.body);
    // That there is no city 999998 is known by now.
    expect(second.counts).toMatchObject({ hits: 4, misses: 0, loads: 0 });
    expect(await api.get('/cities/1001')).toMatchObject({ counts: { hits: 1 } });
    expect(await api.databaseCounts()).toEqual(after);
  });

  it('A3 GET /cities/:id — there is none, twice → 404 both times, and the database is asked once', async () => {
    const before = await api.databaseCounts();
    for (let time = 1; time <= 2; time++)
      expect(await api.get('/cities/999997')).toMatchObject({ status: 404 });
    expect((await api.databaseCounts()).statements).toBe(before.statements + 1);
  });

  it('D2 K3 PATCH /cities/:id — cached → the new city is, its country is evicted, another country is not', async () => {
    const city = await api.findCity('vik', 'IS');
    const paths = [`/cities/${city.id}`, '/countries/IS/stats', '/countries/NO/stats'];
    for (const path of paths) await api.get(path);
    for (const path of paths) expect((await api.get(path)).counts).toMatchObject({ hits: 1 });

    const name = `Vík by ${topology}`;
    const updated = await api.patch<City>(paths[0]!, { name: ` ${name} `, lat: 70 });
    expect(updated).toMatchObject({ status: 200, body: { id: city.id, name, lat: 70 } });

    const [read, stats, others] = await Promise.all(paths.map((path) => api.get(path)));
    expect(read).toMatchObject({ counts: { hits: 1, misses: 0 }, body: updated.body });
    expect(stats).toMatchObject({
      counts: { hits: 0, misses: 1, stale: 0, loads: 1 },
      body: { northernmost: { id: city.id, name } },
    });
    expect(others).toMatchObject({ counts: { hits: 1 } });
  });

  it('G4 PATCH /cities/:id — searches → show it at once, there and everywhere; elsewhere stay', async () => {
    const name = `Tromso by ${topology}`;
    const searches = ['&country=NO', '', '&country=SE'].map(
      (where) => `/cities?name=${name}${where}`,
    );
    for (const search of searches)
      expect(await api.get(search)).toMatchObject({ counts: { misses: 1 }, body: { total: 0 } });
    const { id } = await api.findCity('tromso', 'NO');
    await api.patch(`/cities/${id}`, { name });
    const found = { counts: { misses: 1 }, body: { total: 1, cities: [{ id, name }] } };
    const [there, everywhere, elsewhere] = await Promise.all(searches.map((path) => api.get(path)));
    expect([there, everywhere]).toMatchObject([found, found]);
    expect(elsewhere).toMatchObject({ counts: { hits: 1 }, body: { total: 0 } });
  });

  it('D2 DELETE /countries/:code/stats — cached → the next read is a miss', async () => {
    await api.get('/countries/EE/stats');
    expect(await api.get('/countries/EE/stats')).toMatchObject({ counts: { hits: 1 } });
    expect(await api.call('DELETE', '/countries/EE/stats')).toMatchObject({ status: 204 });
    expect(await api.get('/countries/EE/stats')).toMatchObject({ counts: { misses: 1, loads: 1 } });
  });

  it('O1 T16 GET /stats — a miss and a hit of each cache → counted, each cache by itself', async () => {
    const before = await api.stats();
    for (let time = 1; time <= 2; time++) {
      await api.get('/cities/several?ids=2001,2002');
      await api.get('/countries/LI/stats');
    }
    const after = await api.stats();
    const grown = (cache: 'cities' | 'statistics') => ({
      hits:
        after[cache].hits.l1 +
        after[cache].hits.redis -
        before[cache].hits.l1 -
        before[cache].hits.redis,
      misses: after[cache].misses - before[cache].misses,
      loads: after[cache].loads - before[cache].loads,
    });
    expect(grown('cities')).toEqual({ hits: 2, misses: 2, loads: 1 });
    expect(grown('statistics')).toEqual({ hits: 1, misses: 1, loads: 1 });
  });

  it('O10 K5 GET /health — all is well → up, both caches', async () => {
    const up = { status: 'up', invalidations: { live: true }, pendingEvicts: 0 };
    await api.until(async () => {
      const { status, body } = await api.get<{ details: object }>('/health');
      expect({ status, body }).toMatchObject({
        status: 200,
        body: { details: { cities: up, statistics: up } },
      });
    });
  });

  it.each<{ asked: [method: string, path: string, body?: unknown]; status: number; says: string }>([
    { asked: ['GET', '/cities/999999'], status: 404, says: 'There is no city 999999' },
    { asked: ['PATCH', '/cities/999999', { name: 'x' }], status: 404, says: 'There is no city' },
    { asked: ['GET', '/countries/ZZ/stats'], status: 404, says: 'There is no country ZZ' },
    { asked: ['GET', '/cities'], status: 400, says: 'name must be' },
    { asked: ['GET', '/cities?name=x'], status: 400, says: 'name must be longer' },
    { asked: ['GET', '/cities?name=xx&page=2'], status: 400, says: 'page should not exist' },
    { asked: ['GET', '/cities/042'], status: 400, says: 'without leading zeros' },
    { asked: ['GET', '/cities/several'], status: 400, says: 'ids must be' },
    { asked: ['GET', '/cities/several?ids=1,x'], status: 400, says: 'ids must be' },
    { asked: ['GET', '/countries/fr/stats'], status: 400, says: 'two capital letters' },
    { asked: ['PATCH', '/cities/42', {}], status: 400, says: 'at least one of name, lat, lng' },
    { asked: ['PATCH', '/cities/42', { lat: 90.5 }], status: 400, says: 'lat must be' },
    { asked: ['PATCH', '/cities/42', { name: null }], status: 400, says: 'name must be a string' },
  ])('wrong requests — $asked → $status both times', async ({ asked, status, says: text }) => {
    for (let time = 1; time <= 2; time++) {
      const answer = await api.call<{ message: string | string[] }>(...asked);
      expect(answer.status).toBe(status);
      expect(String(answer.body.message)).toContain(text);
      expect(answer.headers.get('X-Cache')).not.toBe('HIT');
    }
  });

  it('GET / — a browser → one page that credits GeoNames and loads nothing', async () => {
    const { status, headers, body } = await api.get<string>('/');
    expect(status).toBe(200);
    expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    expect(body).toContain('https://creativecommons.org/licenses/by/4.0/');
    expect(body).not.toMatch(/\bsrc=|@import|<link [^>]*href="http/);
  });

  it('T11 SIGTERM — a page listens → ends by itself, with code 0', async () => {
    const events = await api.listen();
    expect(await running.stop()).toBe(0);
    await events.ended;
    expect(running.output).not.toMatch(/error/i);
  });
});

describe('city search, two instances on one Redis', () => {
  let running: RunningSample;
  let one: Client;
  let other: Client;

  beforeAll(async () => {
    // Another database of it: nothing is there of what the tests above have stored.
    const environment = { REDIS_URL: `${redis.url}/1`, INSTANCES: '2', STATISTICS_TTL: '500ms' };
    running = sample.start(environment);
    const urls = await running.urls(2);
    [one, other] = urls.map((url) => new Client(url)) as [Client, Client];
    // From then on each hears of what the other evicts.
    await Promise.all([one, other].map((api) => api.untilUp()));
  }, START_TIMEOUT_MS);

  afterAll(() => running?.stop('SIGKILL'));

  it('I2 C2 PATCH at the one — the other has copies → hears of it, and serves the new city and a new search', async () => {
    // The database is there from the first start.
    expect(running.output).not.toContain('Loading');
    const { id, country } = await one.findCity('hammerfest', 'NO');
    const [city, search] = [`/cities/${id}`, '/cities?name=hammerfest&country=NO'];
    for (let time = 1; time <= 2; time++) for (const path of [city, search]) await other.get(path);
    const { cities } = await other.stats();
    for (const path of [city, search]) await other.get(path);
    expect((await other.stats()).cities.hits.l1).toBe(cities.hits.l1 + 2); // copies of its own

    const events = await other.listen();
    const { body: updated } = await one.patch<City>(city, { name: 'Hammerfest by the one' });
    const byAnother = { local: false, reason: 'evict' };
    await events.find({ ...byAnother, namespace: 'city-search', keys: [`["city",${id}]`] });
    await events.find({
      ...byAnother,
      namespace: 'city-search',
      tags: [`country:${country}`, 'everywhere'],
    });
    await events.find({
      ...byAnother,
      namespace: 'city-search-statistics',
      tags: [`country:${country}`],
    });
    events.end();

    // The one has stored the new city for both.
    expect(await other.get(city)).toMatchObject({ counts: { hits: 1, loads: 0 }, body: updated });
    expect(await other.get(search)).toMatchObject({
      counts: { misses: 1, loads: 1 },
      body: { cities: [updated] },
    });
  });

  it('L2 GET /countries/:code/stats — both are asked at the same time → the database is once', async () => {
    const before = await one.databaseCounts();
    const asked = [one, other, one, other].map((api) => api.get('/countries/CH/stats'));
    const [first, ...rest] = await Promise.all(asked);
    for (const { body } of rest) expect(body).toEqual(first!.body);
    expect((await one.databaseCounts()).statements).toBe(before.statements + 1);
  });

  it('E8 GET /countries/:code/stats — past its ttl → the old one at once, then the new one', async () => {
    await one.get('/countries/SE/stats');
    const stale = await one.until(
      async () => {
        const answer = await one.get('/countries/SE/stats');
        expect(answer.counts).toMatchObject({ misses: 1, stale: 1, loads: 0, refreshes: 1 });
        return answer;
      },
      { intervalMs: 700 }, // beyond the ttl: what is read more often is refreshed before
    );
    expect(stale.status).toBe(200);
    await other.until(async () =>
      expect((await other.get('/countries/SE/stats')).counts).toMatchObject({ hits: 1, stale: 0 }),
    );
  });

  it('E1 GET /countries/:code/stats — near the end of its ttl → a hit, and refreshed beside', async () => {
    await one.until(async () =>
      expect((await one.get('/countries/IE/stats')).counts).toMatchObject({
        hits: 1,
        misses: 0,
        refreshes: 1,
      }),
    );
  });

  it('E4 PATCH /cities/:id — statistics that may be stale → none of before are served', async () => {
    const { id } = await one.findCity('valletta', 'MT');
    await other.get('/countries/MT/stats');
    await one.patch(`/cities/${id}`, { name: 'The northernmost', lat: 80 });
    const { counts, body } = await other.get<{ northernmost: City }>('/countries/MT/stats');
    expect(counts).toMatchObject({ hits: 0, stale: 0 });
    expect(body.northernmost.id).toBe(id);
  });

  it('R1 I6 PATCH /cities/:id — Redis has ended → updated, read from the database, degraded and in service', async () => {
    const path = '/cities/4712';
    await one.get(path);
    await redis.kill();
    expect(await one.get(path)).toMatchObject({ status: 200 });
    const name = 'Without Redis';
    expect(await one.patch(path, { name })).toMatchObject({ status: 200 });
    expect(await one.get(path)).toMatchObject({ counts: { misses: 1, loads: 1 }, body: { name } });
    const { status, body } = await one.get<{ info: Record<string, { pendingEvicts: number }> }>(
      '/health',
    );
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { info: { cities: { status: 'degraded' }, statistics: { status: 'degraded' } } },
    });
    expect(body.info.cities!.pendingEvicts).toBeGreaterThan(0);
    expect((await one.stats()).cities.degraded).toBeGreaterThan(0);

    await redis.restart();
    await one.until(async () => {
      expect((await one.stats()).cities.pendingEvicts).toBe(0);
      expect(await one.get(path)).toMatchObject({ counts: { hits: 1 }, body: { name } });
    });
  });

  it('T11 SIGTERM — two instances → both end by themselves, with code 0', async () => {
    expect(await running.stop()).toBe(0);
  });
});

describe('city search, started wrongly', () => {
  it('start — a port in use → says so, with code 1', async () => {
    const server = createServer().listen(0);
    const { port } = server.address() as AddressInfo;
    const running = sample.start({ PORT: String(port) });
    expect(await running.exitCode()).toBe(1);
    expect(running.output).toContain(`Port ${port} is in use. Stop what listens there`);
    server.close();
  });

  it('T12 start — an option that the cache refuses → says which, with code 1', async () => {
    const running = sample.start({ REDIS_URL: 'nonsense' });
    expect(await running.exitCode()).toBe(1);
    expect(running.output).toContain('topology.url');
  });

  // What they throw is said as above.
  it.each([
    [{ PORT: 'http' }, 'PORT is "http"; it must be a whole number'],
    [{ INSTANCES: '0' }, 'INSTANCES is "0"; it must be a whole number from 1 to 8'],
    [{ INSTANCES: '2', REDIS_URL: '' }, 'INSTANCES is 2 without REDIS_URL'],
  ])('Settings — %j → an error that says what is accepted', (environment, text) => {
    const before = process.env;
    process.env = { ...before, ...environment };
    try {
      expect(() => new Settings()).toThrow(text);
    } finally {
      process.env = before;
    }
  });
});
