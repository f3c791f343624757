import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A run that fails must say so to who started it. It did not once: the teardown waited for a child process that did not
 * keep Node alive, so Node ended there, with 0, whatever the tests had said.
 */
describe('a run of the suite', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'exit-code-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function exitCodeWith(assertion: string, provider: string): Promise<unknown> {
    const test = `import { expect, it } from '@jest/globals';\nit('is', () => ${assertion});\n`;
    await writeFile(join(folder, 'fixture.spec.ts'), test);
    const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--roots', folder];
    const env = { ...process.env, TEST_REDIS_PROVIDER: provider };
    const run = spawn(process.execPath, jest, { stdio: 'ignore', env });
    return (await once(run, 'exit'))[0];
  }

  const { way } = JSON.parse(process.env.TEST_REDIS_LAUNCHER ?? '{}') as { way?: string };

  it.each([
    { test: 'passes', assertion: 'expect(1).toBe(1)', code: 0 },
    { test: 'fails', assertion: 'expect(1).toBe(2)', code: 1 },
  ])('its only test $test → exit code $code', async ({ assertion, code }) => {
    expect(await exitCodeWith(assertion, way ?? 'env')).toBe(code);
  });

  it('no way to have Redis → exit code 1', async () => {
    expect(await exitCodeWith('expect(1).toBe(1)', 'none-of-these')).toBe(1);
  });
});
