import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endChild } from '../../test/support/end-child.js';
import { openRedis } from '../demo-redis.js';
import { Line } from './line.js';
import type { PriceChanged, Setup } from './prices.js';

const PRODUCT = 'tea';
const PATIENCE_MS = 10_000;

/** The database, and how often it has been asked. */
const prices = new Map([[PRODUCT, 3]]);
let reads = 0;

const children: ChildProcess[] = [];
const heard: string[] = [];
try {
  const redis = await openRedis();
  try {
    console.log(`\nTwo processes, one cache. ${redis.description}\n`);
    await demonstrate({
      redisUrl: redis.url,
      namespace: `events-${randomBytes(6).toString('hex')}`,
    });
  } finally {
    await Promise.all(children.map(endChild));
    await redis.stop();
  }
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}

async function demonstrate(setup: Setup): Promise<void> {
  const [shop, office] = await Promise.all([start('shop', setup), start('office', setup)]);
  const price = (): Promise<number> => shop.ask('price', PRODUCT);
  await until('the shop hears messages', () => shop.ask('live'));

  tell('shop', `the price of ${PRODUCT} is ${await price()}`, 'read from the database');
  tell('shop', `the price of ${PRODUCT} is ${await price()}`, 'a copy in the process');
  await office.ask('change', { product: PRODUCT, price: 4 } satisfies PriceChanged);
  tell('office', `the price of ${PRODUCT} is 4 from now on`, 'price.changed, then @CacheEvict');
  await until('the shop hears of it', async () => heard.length > 0);
  const copy = await shop.ask<number | null>('copy', PRODUCT);
  tell('shop', `${heard.join(', ')} is outdated`, copy === null ? 'no copy any more' : 'A COPY');
  const seen = await price();
  tell('shop', `the price of ${PRODUCT} is ${seen}`, 'read from the database');

  const isKept = copy === null && seen === 4 && reads === 2;
  console.log(
    isKept
      ? `\nThe database was asked twice: once before the change, and once after it.`
      : `\nThe price is ${seen} after ${reads} reads of the database; promised are 4 and two reads.`,
  );
  if (!isKept) process.exitCode = 1;
}

/** Resolves when it is ready. */
function start(name: 'shop' | 'office', setup: Setup): Promise<Line> {
  const child = fork(join(import.meta.dirname, `${name}.js`), [JSON.stringify(setup)]);
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The ${name} has ended: exit code ${code}`)));
    const line: Line = new Line(child);
    line
      .on('ready', () => resolve(line))
      .on('select', (product: string) => (reads++, prices.get(product)))
      .on('update', ({ product, price }: PriceChanged) => void prices.set(product, price))
      .on('heard', (keys: string[] | null) => void heard.push(...(keys ?? [])));
  });
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const begin = performance.now(); !(await isSo()); await sleep(10))
    if (performance.now() - begin > PATIENCE_MS)
      throw new Error(`Waited ${PATIENCE_MS / 1_000} s in vain until ${what}`);
}

function tell(who: string, what: string, why: string): void {
  console.log(`  ${who.padEnd(8)}${what.padEnd(40)}${why}`);
}
