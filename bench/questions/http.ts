import { UseInterceptors } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import {
  bareInterceptor,
  nothing,
  PLATFORMS,
  serve,
  type Answering,
  type Platform,
  type Served,
} from '../http/app.js';
import { LoadSender } from '../http/load.js';
import { HOW_TO_INSTALL, peer } from '../peers.js';
import { interleave, ratios, spreadOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';
import { CacheService } from '../../lib/cache/cache.service.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { RedisCacheModule } from '../../lib/redis-cache.module.js';

export const asks =
  'how fast is a handler that is answered from the cache, on Express and Fastify?';

const CONNECTIONS = 32;
const ROUND_S = 1;
const ROUNDS = { rounds: 7, warmUps: 2 };
const HITS_WITHIN_MS = 5_000;

const BODIES = { tiny: { id: 1, name: 'a cat' }, large: largeBody(16 * 1024) };
const SIZES = ['large', 'tiny'] as const;

export async function answer(bench: Bench): Promise<readonly Table[]> {
  const load = await LoadSender.start();
  const tables: Table[] = [];
  try {
    for (const platform of PLATFORMS) tables.push(...(await onPlatform(bench, platform, load)));
  } finally {
    load.stop();
  }
  return tables;
}

async function onPlatform(bench: Bench, platform: Platform, load: LoadSender): Promise<Table[]> {
  const answering = await contenders(bench);
  const opened: Served[] = [];
  try {
    for (const one of answering) opened.push(await serve(platform, one, BODIES));
    const tables: Table[] = [];
    for (const size of SIZES) {
      const body = JSON.stringify(BODIES[size]);
      const title = `${platform}, a body of ${body.length.toLocaleString('en')} B, ${CONNECTIONS} connections`;
      bench.tell(title);
      for (const [i, served] of opened.entries()) await untilHits(served, size, answering[i]!);
      tables.push(await measure(title, { size, body, load, answering, opened }));
    }
    return tables;
  } finally {
    await Promise.all(opened.map(({ app }) => app.close()));
  }
}

interface Measured {
  readonly size: keyof typeof BODIES;
  readonly body: string;
  readonly load: LoadSender;
  readonly answering: readonly Answering[];
  readonly opened: readonly Served[];
}

async function measure(
  title: string,
  { size, body, load, answering, opened }: Measured,
): Promise<Table> {
  /** Round by round, as the samples are. */
  const cpu = answering.map((): number[] => []);
  const contenders = answering.map(({ name, isCached }, i): Contender => {
    const { url, runs } = opened[i]!;
    const measure = async (): Promise<number> => {
      const [runsBefore, before] = [runs(), process.cpuUsage()];
      const { answered, seconds } = await load.send({
        url: `${url}/${size}`,
        connections: CONNECTIONS,
        duration: ROUND_S,
        expectBody: body,
      });
      const { user, system } = process.cpuUsage(before);
      if (isCached && runs() > runsBefore)
        throw new Error(`${name} has run a handler: that was no hit`);
      cpu[i]!.push((user + system) / answered);
      return answered / seconds;
    };
    return { name, measure };
  });
  const samples = await interleave(contenders, ROUNDS);
  const used = cpu.map((all) => all.slice(-ROUNDS.rounds));
  return {
    title,
    columns: ['requests per second', 'of uncached', 'CPU µs a request', 'uncached CPU of it'],
    rows: answering.map(({ name }, i) => ({
      name,
      cells: [
        spreadOf(samples[i]!),
        ratios(samples[i]!, samples[0]!),
        spreadOf(used[i]!),
        ratios(used[0]!, used[i]!),
      ],
    })),
    remarks: answering.some(({ name }) => name.startsWith(CACHE_MANAGER))
      ? []
      : [`Without ${CACHE_MANAGER}, which is not installed: ${HOW_TO_INSTALL}`],
  };
}

const CACHE_MANAGER = '@nestjs/cache-manager';

async function contenders(bench: Bench): Promise<Answering[]> {
  const list: Answering[] = [
    { name: 'uncached handler', decorator: nothing },
    { name: 'an interceptor that does nothing', decorator: bareInterceptor },
    ours(bench, 'nestjs-redis-cache, in the process', 'l1'),
    ours(bench, 'nestjs-redis-cache, l1: false', 'redis'),
  ];
  const manager = await peer(CACHE_MANAGER);
  if (manager)
    list.push({
      name: `${CACHE_MANAGER}, in the process`,
      imports: [manager.CacheModule.register({ ttl: 3_600_000 })],
      decorator: UseInterceptors(manager.CacheInterceptor),
      isCached: true,
    });
  return list;
}

function ours(bench: Bench, name: string, tier: 'l1' | 'redis'): Answering {
  const topology = { type: 'single' as const, url: bench.redisUrl };
  const imports = [
    RedisCacheModule.forRoot({
      namespace: bench.ownName(),
      ttl: '1h',
      timeouts: { read: '10s', write: '10s' },
      ...(tier === 'redis' && { l1: false }),
      topology,
    }),
  ];
  return { name, imports, decorator: Cacheable(), isCached: true, tier };
}

/** From where it is to come: the copy in the process is kept once the bus is live, some time after the application is. */
async function untilHits(
  { app, url }: Served,
  size: string,
  { name, tier }: Answering,
): Promise<void> {
  const hits = (): number => (tier ? app.get(CacheService).stats().hits[tier] : 0);
  const [before, deadline] = [hits(), performance.now() + HITS_WITHIN_MS];
  do {
    await (await fetch(`${url}/${size}`)).arrayBuffer();
    if (performance.now() > deadline) throw new Error(`${name} does not answer from there`);
    if (tier && hits() === before) await sleep(10);
  } while (tier && hits() === before);
}

/** What a list of things is in JSON: short texts, numbers, some nesting. */
function largeBody(bytes: number): object {
  const items: object[] = [];
  while (JSON.stringify({ items }).length < bytes) {
    const id = items.length;
    items.push({
      id,
      name: `cat ${id}`,
      price: id * 1.37,
      isOpen: id % 2 === 0,
      tags: ['a', 'b'],
      owner: { id: id * 7, city: 'Łódź' },
    });
  }
  return { items };
}
