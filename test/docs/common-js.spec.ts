import { expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

interface Manifest {
  name: string;
  type?: string;
  dependencies?: Record<string, string>;
}

/** A package and all that it depends on, with the file that `require` finds. */
async function* requiredBy(folder: string, entry: string): AsyncGenerator<[string, Manifest]> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
  yield [entry, manifest];
  const require = createRequire(join(folder, 'package.json'));
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const found = require.resolve(name);
    const inside = join('node_modules', name);
    yield* requiredBy(found.slice(0, found.lastIndexOf(inside) + inside.length), found);
  }
}

/** By the package.json that is nearest to the file, not only that of the package. */
async function isModule(file: string): Promise<boolean> {
  if (/\.[cm]js$/.test(file)) return file.endsWith('.mjs');
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as Manifest).type === 'module';
  }
}

it('K8 compatibility.md, CommonJS in Jest → its pattern has every module of the package transformed', async () => {
  const text = await readFile(join(ROOT, 'docs/compatibility.md'), 'utf8');
  const [, pattern] = /transformIgnorePatterns: \['(.+?)'\]/.exec(text)!;
  const modules: string[] = [];
  for await (const [file, manifest] of requiredBy(ROOT, join(ROOT, 'dist/index.js')))
    if (await isModule(file)) modules.push(manifest.name);
  expect(modules).toContain('nestjs-redis-cache');
  const ignored = modules.filter((name) => {
    const [beside, nested] = [name, `nestjs-redis-cache/node_modules/${name}`];
    const paths = [beside, nested].map((path) => `/app/node_modules/${path}/index.js`);
    return paths.some((path) => new RegExp(pattern!).test(path));
  });
  expect(ignored).toEqual([]);
});
