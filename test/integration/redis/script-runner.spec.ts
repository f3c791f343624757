import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { runScript, runSteps, type ScriptAnswer } from '../../../lib/redis/script-runner.js';
import { defineScript } from '../../../lib/redis/script.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const echo = defineScript({
  name: 'echo',
  args: ['second', 'first'],
  replies: ['nothing', 'both'],
  lua: `
if first == '' then return NOTHING end
return { BOTH, key, first, second, #second }
`,
});
const both = (first: number) => ({ first, second: 'x' });
const EVERY_BYTE = Buffer.from([...Array(256).keys()]);

describe('runScript', () => {
  let server: TestServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startServer();
    client = new Redis(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  const calls = async (command: string): Promise<number> => {
    const stats = await client.info('commandstats');
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  };

  it('arguments by name, in any order → the reply by name, every byte kept', async () => {
    const answer = await runScript(client, echo, 'ключ\0\r\n', { first: 1.5, second: EVERY_BYTE });
    expect(answer.reply).toBe('both');
    expect(answer.details).toEqual([
      Buffer.from('ключ\0\r\n'),
      Buffer.from('1.5'),
      EVERY_BYTE,
      256,
    ]);
  });

  it('a reply without details → the name alone', async () => {
    const answer = await runScript(client, echo, 'k', { first: '', second: '' });
    expect(answer).toEqual({ reply: 'nothing', details: [] });
  });

  it('the first calls on a connection → one by the text, and the others need no second try', async () => {
    const other = new Redis(server.url);
    await client.config('RESETSTAT');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => runScript(other, echo, `k${i}`, both(i))),
    );
    expect(answers.map(({ details }) => String(details[0]))).toEqual(
      Array.from({ length: 20 }, (_, i) => `k${i}`),
    );
    expect([await calls('eval'), await calls('evalsha')]).toEqual([1, 19]);
    expect(await client.info('errorstats')).not.toContain('NOSCRIPT');
    other.disconnect();
  });

  it('a call that was never sent → the next one brings the text', async () => {
    const other = new Redis(server.url, { enableOfflineQueue: false, retryStrategy: null });
    await expect(runScript(other, echo, 'k', both(1))).rejects.toThrow('writeable');
    await waitFor(() => other.status === 'ready');
    await client.config('RESETSTAT');
    await runScript(other, echo, 'k', both(1));
    expect([await calls('eval'), await calls('evalsha')]).toEqual([1, 0]);
    other.disconnect();
  });

  it('R8 the server has forgotten the script → its text is sent once, then the hash again', async () => {
    await runScript(client, echo, 'k', both(1));
    await client.script('FLUSH');
    const before = await calls('eval');
    for (let i = 0; i < 3; i++) await runScript(client, echo, 'k', { first: 'x', second: '' });
    expect((await calls('eval')) - before).toBe(1);
  });

  it('a client that gives numbers as text → the same reply', async () => {
    const other = new Redis(server.url, { stringNumbers: true });
    expect(await runScript(other, echo, 'k', { first: '', second: '' })).toMatchObject({
      reply: 'nothing',
    });
    other.disconnect();
  });

  it('the script fails → its error, and no second try', async () => {
    const broken = defineScript({
      name: 'broken',
      args: [],
      replies: [],
      lua: `return redis.call('LPUSH', key)`,
    });
    const before = await calls('eval');
    await expect(runScript(client, broken, 'k', {})).rejects.toThrow(/wrong number of arg/i);
    expect((await calls('eval')) - before).toBe(1);
  });

  it('an answer that has no name → an error that names the script', async () => {
    const odd = defineScript({ name: 'odd', args: [], replies: ['one'], lua: 'return 7' });
    await expect(runScript(client, odd, 'k', {})).rejects.toThrow(
      'script odd gave an unknown answer',
    );
  });

  describe('runSteps', () => {
    /** Fails at a key that holds no list. */
    const push = defineScript({
      name: 'push',
      args: ['item'],
      shared: ['prefix'],
      replies: ['first', 'more'],
      helpers: `
local pushed = 0

local function count()
  pushed = pushed + 1
  return pushed
end
`,
      lua: `
local length = redis.call('RPUSH', key, prefix .. item)
if length == 1 then return FIRST end
return { MORE, length, count() }
`,
    });
    const as = (answer: ScriptAnswer<'first' | 'more'>): unknown => answer;
    const step = (key: string, item: string | Buffer) => ({ key, values: { item }, as });
    const shared = { prefix: '>' };

    it('several keys, one of them twice → one command, a step for each in their order, helpers of all', async () => {
      await client.del('a', 'b');
      const items = ['1', EVERY_BYTE, '3', '4'];
      const steps = ['a', 'b', 'a', 'a'].map((key, i) => step(key, items[i]!));
      await client.config('RESETSTAT');
      const answers = await runSteps(client, push, steps, shared);
      expect(answers).toEqual(
        [
          { reply: 'first', details: [] },
          { reply: 'first', details: [] },
          { reply: 'more', details: [2, 1] },
          { reply: 'more', details: [3, 2] },
        ].map((value) => ({ status: 'fulfilled', value })),
      );
      expect((await calls('eval')) + (await calls('evalsha'))).toBe(1);
      expect(await client.lrange('a', 0, -1)).toEqual(['>1', '>3', '>4']);
      expect(await client.lrangeBuffer('b', 0, -1)).toEqual([
        Buffer.concat([Buffer.from('>'), EVERY_BYTE]),
      ]);
    });

    it('what is made of each answer → that in its place', async () => {
      await client.del('a', 'b');
      const steps = ['a', 'b', 'a'].map((key, i) => ({
        ...step(key, 'x'),
        as: ({ reply }: { reply: string }) => `${i} ${reply}`,
      }));
      expect(await runSteps(client, push, steps, shared)).toEqual(
        ['0 first', '1 first', '2 more'].map((value) => ({ status: 'fulfilled', value })),
      );
    });

    it('one step fails → its own error, as the server gave it; the others are taken', async () => {
      await client.del('a', 'b');
      await client.set('odd', 'text');
      const steps = [step('a', '1'), step('odd', '2'), step('b', '3')];
      const [first, second, third] = await runSteps(client, push, steps, shared);
      expect([first!.status, third!.status]).toEqual(['fulfilled', 'fulfilled']);
      expect(second).toMatchObject({
        status: 'rejected',
        reason: { name: 'ReplyError', message: expect.stringMatching(/^WRONGTYPE /) },
      });
      expect(await client.lrange('b', 0, -1)).toEqual(['>3']);
    });

    it('all fail → rejects as a command with one key does', async () => {
      await client.mset('odd', 'text', 'other', 'text');
      const steps = [step('odd', '1'), step('other', '2')];
      await expect(runSteps(client, push, steps, shared)).rejects.toMatchObject({
        name: 'ReplyError',
        message: expect.stringMatching(/^WRONGTYPE /),
      });
    });
  });
});
