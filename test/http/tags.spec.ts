import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Param,
  Post,
  Put,
  Query,
  type ExecutionContext,
} from '@nestjs/common';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { escapeGlob } from '../../lib/keys/glob.js';
import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
import { TOPOLOGIES, topologyOptions, type TopologyName } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { freePort } from '../support/ports.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp, type Platform, type TestApp } from './http-app.js';

interface City {
  id: string;
  name: string;
  country: string;
}

const cities = new Map<string, City>();
let door: Gate | undefined;
let namespace = '';

@Controller('cities')
class CitiesController {
  @Get('search')
  @Cacheable({ tags: (_, { found }) => found.map(({ country }: City) => `country:${country}`) })
  async search(@Query('name') name: string) {
    const found = [...cities.values()].filter((city) => city.name.includes(name));
    await door?.pass();
    return { found };
  }

  @Get('lists/:country')
  @Cacheable({ tags: ['lists', 'country:{params.country}'] })
  list(@Param('country') country: string) {
    return [...cities.values()].filter((city) => city.country === country);
  }

  @Get('strict')
  @Cacheable({ tags: 'strict:{query.by}' })
  strict() {
    return {};
  }

  @Get('broken')
  @Cacheable({ tags: () => undefined as never })
  broken() {
    return {};
  }

  @Get(':id')
  @Cacheable({ key: 'city:{params.id}', tags: 'country:{result.country}' })
  find(@Param('id') id: string) {
    return cities.get(id);
  }

  @Get(':id/parts/:part')
  @Cacheable({ key: 'city:{params.id}:{params.part}' })
  part(@Param() part: object) {
    return part;
  }

  @Get(':id/drafts')
  @Cacheable({ key: 'draft:{params.id}', namespace: 'drafts' })
  draft(@Param() draft: object) {
    return draft;
  }

  @Put(':id')
  @CacheEvict({ tags: ['country:{result.country}', 'note:{body.note}'] })
  rename(@Param('id') id: string, @Body('name') name: string) {
    const city = { ...cities.get(id)!, name };
    cities.set(id, city);
    return city;
  }

  @Post('evict/tags')
  @CacheEvict({ tags: (_: ExecutionContext, { tags }) => tags })
  evictTags(@Body() body: { tags: string[] }) {
    return body;
  }

  @Post('evict/city')
  @CacheEvict({ key: 'city:{body.id}' })
  @CacheEvict({ pattern: 'city:{body.id}:*' })
  evictCity() {
    return {};
  }

  @Post('evict/begin')
  @CacheEvict({ pattern: (_, { begin }) => begin && `${escapeGlob(begin)}*` })
  evictBegin(@Body() body: { begin?: string }) {
    return body;
  }

  @Post('evict/all')
  @CacheEvict({ all: true })
  evictAll() {
    return {};
  }

  @Post('evict/drafts')
  @CacheEvict({ all: true, namespace: 'drafts' })
  evictDrafts() {
    return {};
  }
}

const controllers = [CitiesController];

async function start(
  platform: Platform,
  topology: TopologyName | RedisCacheOptions['topology'],
  options: Partial<RedisCacheOptions> = {},
): Promise<TestApp> {
  const where = typeof topology === 'string' ? await topologyOptions(topology) : topology;
  return startApp(
    platform,
    { controllers },
    { options: { namespace, topology: where, ...options } },
  );
}

const put = ({ send }: TestApp, path: string, body: object) => send(path, { method: 'PUT', body });
const post = ({ send }: TestApp, path: string, body: object = {}) =>
  send(`/cities/evict/${path}`, { method: 'POST', body });
const verdicts = ({ verdict }: TestApp, paths: readonly string[]) =>
  Promise.all(paths.map((path) => verdict(path)));

beforeEach(() => {
  cities.clear();
  cities.set('1', { id: '1', name: 'Bern', country: 'CH' });
  cities.set('2', { id: '2', name: 'Berlin', country: 'DE' });
  door = undefined;
  namespace = `t${randomBytes(6).toString('hex')}`;
});

describe.each(PLATFORMS.flatMap((platform) => TOPOLOGIES.map((name) => [platform, name] as const)))(
  'tags on %s, %s',
  (platform, topology) => {
    it('G4 by result, by parameter, by function → a PUT that evicts one is seen at once', async () => {
      const app = await start(platform, topology);
      const swiss = ['/cities/1', '/cities/search?name=Ber', '/cities/lists/CH'];
      const others = ['/cities/2', '/cities/search?name=lin', '/cities/lists/DE'];
      await verdicts(app, [...swiss, ...others]);
      expect(await verdicts(app, [...swiss, ...others])).toEqual(Array(6).fill('HIT'));
      await put(app, '/cities/1', { name: 'Berne' });
      expect(await verdicts(app, others)).toEqual(Array(3).fill('HIT'));
      const city = { id: '1', name: 'Berne', country: 'CH' };
      expect((await app.send(swiss[0]!)).json()).toEqual(city);
      expect((await app.send(swiss[1]!)).json().found).toContainEqual(city);
      expect((await app.send(swiss[2]!)).json()).toEqual([city]);
      expect(await verdicts(app, swiss)).toEqual(Array(3).fill('HIT'));
    });

    it('G4 a tag that only the result tells, evicted while the handler runs → its answer is not served again', async () => {
      const app = await start(platform, topology);
      door = new Gate();
      const early = app.send('/cities/search?name=Ber');
      await door.arrived();
      await put(app, '/cities/1', { name: 'Berne' });
      door.open();
      const names = async (reply: typeof early): Promise<string[]> =>
        (await reply).json().found.map(({ name }: City) => name);
      expect(await names(early)).toEqual(['Bern', 'Berlin']);
      expect(await names(app.send('/cities/search?name=Ber'))).toEqual(['Berne', 'Berlin']);
      expect(await app.verdict('/cities/search?name=Ber')).toBe('HIT');
    });

    it('G4 no value for a tag, or none that is a tag → not stored, one warning', async () => {
      const app = await start(platform, topology);
      const long = `/cities/strict?by=${'x'.repeat(300)}`;
      for (const path of ['/cities/strict', '/cities/strict', long, long]) {
        const { status, headers } = await app.send(path);
        expect([status, headers['cache-status']]).toEqual([
          200,
          expect.stringContaining('detail=tags'),
        ]);
      }
      expect(app.log).toEqual([
        expect.stringMatching(/CitiesController\.strict: not stored: a tag has no value/),
      ]);
      await app.verdict('/cities/strict?by=name');
      expect(await app.verdict('/cities/strict?by=name')).toBe('HIT');
      await app.verdict('/cities/broken');
      expect(await app.verdict('/cities/broken')).toBe('MISS');
      expect(app.log[1]).toMatch(/CitiesController\.broken: not stored: a tag/);
    });

    it('P9 one of the tags has no value, or cannot be one → the others are evicted, one warning', async () => {
      const app = await start(platform, topology);
      for (const note of [undefined, 'x'.repeat(300)]) {
        await app.send('/cities/1');
        expect((await put(app, '/cities/1', { name: 'Berne', note })).status).toBe(200);
        expect(await app.verdict('/cities/1')).toBe('MISS');
      }
      expect(app.log).toEqual([
        expect.stringMatching(/CitiesController\.rename: .* one of the tags, which is not evicted/),
      ]);
    });

    it('P9 tags by a function of the result → all of them; none → nothing', async () => {
      const app = await start(platform, topology);
      const paths = ['/cities/1', '/cities/2', '/cities/lists/CH'];
      await verdicts(app, paths);
      await post(app, 'tags', { tags: [] });
      expect(await verdicts(app, paths)).toEqual(['HIT', 'HIT', 'HIT']);
      await post(app, 'tags', { tags: ['country:DE', 'lists'] });
      expect(await verdicts(app, paths)).toEqual(['HIT', 'MISS', 'MISS']);
    });

    it('P9 key and pattern, by a template → what belongs to that value, whatever is in it', async () => {
      const app = await start(platform, topology);
      const partsOf = (id: string) => [`/cities/${id}/parts/a`, `/cities/${id}/parts/b%3Ac`];
      for (const [id, path] of [
        ['*', '%2A'],
        ['1:2', '1%3A2'],
        ['\\', '%5C'],
      ] as const) {
        const others = ['/cities/1', ...partsOf('1')];
        await verdicts(app, [...others, ...partsOf(path)]);
        expect((await post(app, 'city', { id })).status).toBe(201);
        expect(await verdicts(app, others)).toEqual(['HIT', 'HIT', 'HIT']);
        expect(await verdicts(app, partsOf(path))).toEqual(['MISS', 'MISS']);
      }
      await post(app, 'city', { id: '1' });
      expect(await verdicts(app, ['/cities/1', ...partsOf('1')])).toEqual(Array(3).fill('MISS'));
      expect(app.log).toEqual([]);
    });

    it('P9 pattern by a function → its glob; undefined → nothing, one warning', async () => {
      const app = await start(platform, topology);
      const paths = ['/cities/1', '/cities/1/parts/a', '/cities/2'];
      await verdicts(app, paths);
      await post(app, 'begin', {});
      expect(await verdicts(app, paths)).toEqual(['HIT', 'HIT', 'HIT']);
      expect(app.log).toEqual([expect.stringMatching(/one of the patterns, which is not evicted/)]);
      await post(app, 'begin', { begin: 'city:1' });
      expect(await verdicts(app, paths)).toEqual(['MISS', 'MISS', 'HIT']);
    });

    it('I6 all → everything in that namespace, nothing in another', async () => {
      const app = await start(platform, topology);
      const paths = ['/cities/1', '/cities/lists/DE', '/cities/1/drafts'];
      await verdicts(app, paths);
      await post(app, 'drafts');
      expect(await verdicts(app, paths)).toEqual(['HIT', 'HIT', 'MISS']);
      await post(app, 'all');
      expect(await verdicts(app, paths)).toEqual(['MISS', 'MISS', 'HIT']);
    });
  },
);

describe.each(PLATFORMS)('tags with Redis, on %s', (platform) => {
  it.each<['tags' | 'pattern' | 'all', (app: TestApp) => Promise<unknown>]>([
    ['tags', (app) => put(app, '/cities/1', { name: 'Berne', note: 'x' })],
    ['pattern', (app) => post(app, 'begin', { begin: 'city:' })],
    ['all', (app) => post(app, 'all')],
  ])(
    'I1 %s evicted in one application → the copies in another are gone in no time',
    async (_, evict) => {
      const [one, other] = [await start(platform, 'single'), await start(platform, 'single')];
      await one.send('/cities/1');
      // From Redis, and then from the copy.
      await other.send('/cities/1');
      cities.set('1', { id: '1', name: 'Berne', country: 'CH' });
      expect((await other.send('/cities/1')).json().name).toBe('Bern');
      await evict(one);
      const name = async () => (await other.send('/cities/1')).json().name === 'Berne';
      await waitFor(name, { timeoutMs: 1_000, intervalMs: 1 });
    },
  );

  it.each([
    ['queue', 200, 201],
    ['throw', 500, 500],
  ] as const)(
    "P9 Redis out of reach, evictFailure: '%s' → tags %i, pattern and all %i; reported",
    async (evictFailure, ofTags, ofOthers) => {
      const errors: string[] = [];
      const url = `redis://127.0.0.1:${await freePort()}`;
      const app = await start(
        platform,
        { type: 'single', url },
        {
          evictFailure,
          timeouts: { connect: 200, read: 100, write: 100 },
          shutdownTimeout: 100,
          onError: ({ operation, error }) => errors.push(`${operation} ${error.name}`),
        },
      );
      const statuses = [
        (await put(app, '/cities/1', { name: 'Berne', note: 'x' })).status,
        (await post(app, 'begin', { begin: 'city:' })).status,
        (await post(app, 'all')).status,
      ];
      expect(statuses).toEqual([ofTags, ofOthers, ofOthers]);
      expect(cities.get('1')!.name).toBe('Berne');
      const evicts = errors.filter((error) => error.endsWith(' CacheEvictError'));
      expect(evicts).toEqual([
        'evictTags CacheEvictError',
        'evictPattern CacheEvictError',
        'clear CacheEvictError',
      ]);
    },
  );
});
