import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { MasterSearch } from '../../../lib/redis/master-search.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const READONLY = new Error("READONLY You can't write against a read only replica.");

/** A client to a server of that role. */
function clientTo(role: string | Error) {
  return Object.assign(new EventEmitter(), {
    status: 'ready',
    stream: {},
    options: {},
    connect: async () => undefined,
    role: async () => {
      if (typeof role !== 'string') throw role;
      return [role];
    },
    disconnect: jest.fn(),
  });
}

describe('MasterSearch', () => {
  let clock: ManualClock;
  beforeEach(() => void (clock = new ManualClock()));

  /** What has become of a client after one READONLY; `elsewhere` is what a new connection finds. */
  async function search(here: string | Error, elsewhere: string | Error) {
    const client = clientTo(here);
    const other = Object.assign(clientTo(elsewhere), { status: 'end' });
    const finder = new MasterSearch({ clock, createClient: () => other as unknown as Redis });
    finder.hear(READONLY, client as unknown as Redis);
    await new Promise(setImmediate);
    return client.disconnect.mock.calls;
  }
  const again = [[true]];

  it.each<[string, string | Error, string | Error, unknown[]]>([
    ['a replica, and elsewhere a master', 'slave', 'master', again],
    ['a replica, and elsewhere as well', 'slave', 'slave', []],
    ['a master by now', 'master', 'master', []],
    ['a replica, elsewhere nothing answers', 'slave', new Error('gone'), []],
    ['who may not ask', new Error('NOPERM role'), new Error('NOPERM role'), again],
  ])('hear — %s → connects again only where that would help', async (_, here, there, expected) => {
    expect(await search(here, there)).toEqual(expected);
  });

  it.each<[string, Partial<ReturnType<typeof clientTo>>]>([
    ['has a new connection', { stream: {} }],
    ['is connecting, and its stream is the old one', { status: 'connecting' }],
  ])('R8 hear — meanwhile the client %s → left alone', async (_, change) => {
    const client = clientTo('slave');
    const other = Object.assign(clientTo('master'), {
      status: 'end',
      connect: async () => void Object.assign(client, change),
    });
    const finder = new MasterSearch({ clock, createClient: () => other as unknown as Redis });
    finder.hear(READONLY, client as unknown as Redis);
    await new Promise(setImmediate);
    expect(client).toMatchObject(change);
    expect(client.disconnect).not.toHaveBeenCalled();
  });

  it('R8 hear — the other connection fails → nobody hears of it, and no listener is left', async () => {
    const client = clientTo('slave');
    const other = Object.assign(clientTo('slave'), {
      status: 'end',
      connect: async () => void other.emit('error', new Error('refused')),
    });
    const role = jest.spyOn(other, 'role');
    const finder = new MasterSearch({ clock, createClient: () => other as unknown as Redis });
    finder.hear(READONLY, client as unknown as Redis);
    await new Promise(setImmediate);
    expect(role).toHaveBeenCalled();
    expect(client.eventNames()).toEqual([]);
  });

  it('hear — for as long as writes are refused → a look at once, after 1, 2, 4, 8 s, then each 10 s', async () => {
    const looks: number[] = [];
    const client = clientTo('slave') as unknown as Redis;
    const createClient = (): Redis => {
      looks.push(clock.monotonic() / 1_000);
      return Object.assign(clientTo('slave'), { status: 'end' }) as unknown as Redis;
    };
    const finder = new MasterSearch({ clock, createClient });
    const refuse = async (): Promise<void> => {
      finder.hear(READONLY, client);
      await new Promise(setImmediate);
      clock.advance(100);
    };
    while (clock.monotonic() < 40_000) await refuse();
    expect(looks).toEqual([0, 1, 3, 7, 15, 25, 35]);
    clock.advance(60_000);
    await refuse();
    while (clock.monotonic() < 101_500) await refuse();
    expect(looks.slice(7)).toEqual([100, 101]);
  });

  it('hear — any other error → nothing', async () => {
    const createClient = jest.fn<() => Redis>();
    new MasterSearch({ clock, createClient }).hear(
      new Error('OOM'),
      clientTo('slave') as unknown as Redis,
    );
    await new Promise(setImmediate);
    expect(createClient).not.toHaveBeenCalled();
  });
});
