import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';

const SECRET = randomBytes(32).toString('base64');

function errorOf(options: unknown): CacheOptionsError {
  try {
    resolveOptions(options, 'x');
  } catch (error) {
    return error as CacheOptionsError;
  }
  throw new Error('nothing was thrown');
}

const paths = (options: unknown): string[] => errorOf(options).problems.map(({ path }) => path);

describe('T12 resolveOptions — compression', () => {
  it('S4 {} → gzip from 1 KiB; false and nothing → none', () => {
    expect(resolveOptions({ compression: {} }, 'x').compression).toEqual({
      threshold: 1024,
      algorithm: 'gzip',
    });
    for (const options of [{}, { compression: false }, { compression: undefined }])
      expect(resolveOptions(options, 'x').compression).toBe(false);
  });

  it.each([true, null, 5, 'gzip', []])('S4 %p → one problem, at its path', (compression) => {
    expect(paths({ compression })).toEqual(['compression']);
  });

  it('S4 a field that does not exist → its path, and what was meant', () => {
    const [problem] = errorOf({ compression: { treshold: 5 } }).problems;
    expect(problem).toMatchObject({ path: 'compression.treshold' });
    expect(problem!.accepted).toContain('did you mean threshold');
  });
});

describe('T12 resolveOptions — encryption', () => {
  it('S8 keys → in their order, unencrypted entries are misses; false and nothing → none', () => {
    const keys = [
      { id: '2026-02', secret: SECRET },
      { id: 'old_1.x', secret: Buffer.alloc(32) },
    ];
    const { encryption } = resolveOptions({ encryption: { keys } }, 'x');
    expect(encryption).toMatchObject({
      keys: [{ id: '2026-02' }, { id: 'old_1.x' }],
      unencrypted: 'miss',
    });
    expect(encryption!.keys[0]!.key.export().toString('base64')).toBe(SECRET);
    for (const options of [{}, { encryption: false }, { encryption: undefined }])
      expect(resolveOptions(options, 'x')).not.toHaveProperty('encryption');
  });

  it.each<[unknown, string[]]>([
    [true, ['encryption']],
    ['hunter2 hunter2 hunter2 hunter2 hunter2', ['encryption']],
    [null, ['encryption']],
    [{}, ['encryption.keys']],
    [{ keys: [] }, ['encryption.keys']],
    [{ keys: 'hunter2' }, ['encryption.keys']],
    [{ keys: ['hunter2'] }, ['encryption.keys[0]']],
    [{ keys: [{ id: 'a', secret: 'hunter2' }] }, ['encryption.keys[0].secret']],
    [{ keys: [{ id: 'a' }] }, ['encryption.keys[0].secret']],
    [{ keys: [{ secret: SECRET }] }, ['encryption.keys[0].id']],
    [{ keys: [{ id: 'a b', secret: SECRET }] }, ['encryption.keys[0].id']],
    [{ keys: [{ id: 'x'.repeat(65), secret: SECRET }] }, ['encryption.keys[0].id']],
    [
      {
        keys: [
          { id: 'a', secret: SECRET },
          { id: 'a', secret: SECRET },
        ],
      },
      ['encryption.keys[1].id'],
    ],
    [{ keys: [{ id: 'a', secret: SECRET, salt: 'hunter2' }] }, ['encryption.keys[0].salt']],
    [{ keys: [{ id: 'a', secret: SECRET }], unencrypted: true }, ['encryption.unencrypted']],
    [{ keys: [{ id: 'a', secret: SECRET }], salt: 'hunter2' }, ['encryption.salt']],
    [{ key: 'hunter2' }, ['encryption.key']],
  ])('S8 %j → problems at their paths, and no secret in them', (encryption, expected) => {
    const error = errorOf({ encryption });
    expect(error.problems.map(({ path }) => path)).toEqual(expected);
    expect(JSON.stringify([error.message, error.problems])).not.toMatch(/hunter2/);
  });

  it.each(['encryptionKey', 'encryptionKeys', 'encrypt'])(
    'S8 a secret under the wrong name %s → not shown either',
    (name) => {
      const error = errorOf({ [name]: 'hunter2' });
      expect(error.problems.map(({ path }) => path)).toEqual([name]);
      expect(error.message).not.toContain('hunter2');
    },
  );
});
