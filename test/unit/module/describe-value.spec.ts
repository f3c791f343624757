import { describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';

import { describeValue } from '../../../lib/module/describe-value.js';

describe('describeValue', () => {
  it.each([
    ['5m', "'5m'"],
    [0, '0'],
    [NaN, 'NaN'],
    [-0.5, '-0.5'],
    [10n, '10n'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[1, 2], 'an array of 2'],
    [{ a: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [new Map(), 'an instance of Map'],
    [() => 1, 'a function'],
    [Symbol('s'), 'a symbol'],
  ])('%p → %s', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });

  it.each([
    ['a Redis', new Redis({ lazyConnect: true })],
    ['a Redis with keyPrefix', new Redis({ lazyConnect: true, keyPrefix: 'secret:' })],
    ['a Cluster', new Cluster(['localhost:1'], { lazyConnect: true })],
  ])('T6 a client → %s', (text, client) => {
    expect(describeValue(client)).toBe(text);
    client.disconnect();
  });

  it('long text → cut', () => {
    expect(describeValue('x'.repeat(500)).length).toBeLessThan(70);
  });

  it.each([
    ['redis://user:hunter2@localhost:6379/3', "'redis://***@localhost:6379/3'"],
    ['redis://:hunter2@localhost', "'redis://***@localhost'"],
    ['http://hunter2@localhost/x', "'http://***@localhost/x'"],
    ['redis://localhost/0?password=hunter2', "'redis://localhost/0?***'"],
    ['redis://:hun?ter2@localhost', "'redis://***'"],
    ['redis://user:1?hunter2@localhost', "'redis://***'"],
    ['redis://user:1/hunter2@localhost', "'redis://***'"],
    ['redis://user:1#hunter2@localhost', "'redis://***'"],
    ['redis://:hunter 2@local host', "'redis://***'"],
    ['redis://:hunter2', "'redis://***'"],
    ['redis://user:hunter2', "'redis://***'"],
    ['redis://localhost:6379', "'redis://localhost:6379'"],
    ['user:hunter2@localhost', "'***'"],
    [`user:${'hunter2'.repeat(20)}@localhost`, "'***'"],
    ['/tmp/redis.sock?password=hunter2', "'***'"],
  ])('connection string %s → %s', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });

  it.each(['password', 'redisPassword', 'passphrase', 'authToken', 'secret', 'privateKey'])(
    'a field called %s → never its value',
    (name) => {
      expect(describeValue('hunter2', name)).toBe('a string (hidden)');
      expect(describeValue(123456, name)).toBe('a number (hidden)');
    },
  );
});
