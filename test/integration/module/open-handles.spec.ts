import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { transformFile } from '@swc/core';

import { freePort } from '../../support/ports.js';

const ROOT = join(import.meta.dirname, '../../..');
const APP = 'test/integration/module/apps/lifecycle.app';

/** A process that has something open lives for ever; one that has not ends long before this. */
const PATIENCE_MS = 20_000;

let folder: string;

/** Node runs no TypeScript, so the library and the application are compiled, into a folder that finds node_modules. */
beforeAll(async () => {
  await mkdir(join(ROOT, '.cache'), { recursive: true });
  folder = await mkdtemp(join(ROOT, '.cache/apps-'));
  const sources = await readdir(join(ROOT, 'lib'), { recursive: true });
  const files = sources.filter((file) => file.endsWith('.ts')).map((file) => join('lib', file));
  await Promise.all([...files, `${APP}.ts`].map(compile));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function compile(file: string): Promise<void> {
  const { code } = await transformFile(join(ROOT, file), { cwd: ROOT, sourceMaps: false });
  const target = join(folder, file.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
}

interface Life {
  /** undefined: it did not end by itself. */
  exit: number | NodeJS.Signals | undefined;
  printed: string;
}

async function live(life: string, url: string): Promise<Life> {
  const child = spawn(process.execPath, [join(folder, `${APP}.js`), life, url]);
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  let isStuck = false;
  const timer = setTimeout(() => (isStuck = child.kill('SIGKILL')), PATIENCE_MS);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals];
  clearTimeout(timer);
  return { exit: isStuck ? undefined : (code ?? signal), printed };
}

describe.each([
  ['Redis is there', () => Promise.resolve(process.env.TEST_REDIS_URL!), true],
  ['Redis is down', async () => `redis://127.0.0.1:${await freePort()}`, false],
] as const)('K6 an application — %s', (_, urlOf, isThere) => {
  it.each([
    ['whole', /^loaded value\nover\n$/],
    ['never-started', /^over\n$/],
    ['options-fail', /^failed CacheOptionsError .*RedisCacheModule 'second'[^]*over\n$/],
    ['compile-fails', /^failed \w+ Nest can't resolve[^]*over\n$/],
    ['init-fails', new RegExp(`^stored ${isThere}\nfailed Error fails to start\nover\n$`)],
  ])(
    '%s → its process ends by itself',
    async (life, expected) => {
      const { exit, printed } = await live(life, await urlOf());
      expect(printed).toMatch(expected);
      expect(exit).toBe(0);
    },
    PATIENCE_MS + 2_000,
  );

  it(
    'signal → its process ends by that signal',
    async () => {
      const { exit, printed } = await live('signal', await urlOf());
      expect(printed).toBe(`stored ${isThere}\nover\n`);
      expect(exit).toBe('SIGTERM');
    },
    PATIENCE_MS + 2_000,
  );
});
