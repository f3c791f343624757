import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import {
  hearUnreadyClose,
  leaveWithoutDatabase,
  nameUnansweredTls,
} from '../../../lib/redis/unready.js';

const clients: { disconnect: () => void }[] = [];
afterEach(() => clients.splice(0).forEach((client) => client.disconnect()));

/** Not connected: its events are those that the test tells of. */
function idle(options: RedisOptions): Redis {
  const client = new Redis({ lazyConnect: true, ...options });
  clients.push(client);
  return client;
}

const SENTINELS = [{ host: '127.0.0.1', port: 1 }];

describe('nameUnansweredTls', () => {
  /** An error of the client, after whoever else listens has heard of it. */
  function heard(options: RedisOptions, message: string): Error {
    const client = idle({ connectTimeout: 200, ...options });
    nameUnansweredTls(client);
    const error = new Error(message);
    // Written when it is first looked at.
    expect(error.stack).toContain(message);
    client.emit('error', error);
    return error;
  }

  it('R2 no answer in time, with TLS → says so, in the stack as well', () => {
    const error = heard({ tls: {} }, 'connect ETIMEDOUT');
    const said = 'the TLS handshake was not answered within 200 ms (connect ETIMEDOUT)';
    expect(error.message).toContain(said);
    expect(error.stack).toContain(said);
  });

  it.each<[string, RedisOptions, string]>([
    ['without TLS', {}, 'connect ETIMEDOUT'],
    ['of a Sentinel', { tls: {}, sentinels: SENTINELS, name: 'main' }, 'connect ETIMEDOUT'],
    ['of another kind', { tls: {} }, 'connect ECONNREFUSED 127.0.0.1:6379'],
  ])('R2 an error %s → as it was', (_, options, message) => {
    expect(heard(options, message).message).toBe(message);
  });
});

describe('hearUnreadyClose', () => {
  /** What is told of an attempt of which the client says nothing else. */
  function told(client: Redis | Cluster, ...events: string[]): string[] {
    const words: string[] = [];
    const end = hearUnreadyClose(client, ({ message }) => words.push(message));
    for (const event of [...events, 'reconnecting']) client.emit(event);
    end();
    return words;
  }

  const CLOSED = 'the server closed the connection before it was ready';

  it.each<[string, RedisOptions, string[]]>([
    ['a server', {}, [`${CLOSED}; does it want TLS (rediss://)?`]],
    ['one with TLS', { tls: {} }, [CLOSED]],
    ['what Sentinel takes for a master', { sentinels: SENTINELS, name: 'main' }, []],
  ])('R2 %s closes before it has said anything → as much as is known', (_, options, words) => {
    const client = idle(options);
    client.stream = { bytesRead: 0 } as unknown as Redis['stream'];
    expect(told(client, 'connecting', 'connect')).toEqual(words);
  });

  it.each([
    ['is not found', ['connecting'], 'the cluster was not found'],
    ['is found', ['connecting', 'connect'], 'the cluster was found and is not well'],
    [
      'is found, of which the beginning was not heard',
      ['connect'],
      'the cluster was found and is not well',
    ],
    ['was found before', ['connecting', 'connect', 'connecting'], 'the cluster was not found'],
  ])('T3 R2 a cluster %s, without an error → says which', (_, events, words) => {
    const client = new Cluster([{ port: 1 }], { lazyConnect: true });
    clients.push(client);
    expect(told(client, ...events)).toEqual([expect.stringContaining(words)]);
    const listeners = client.eventNames().map((name) => client.listenerCount(name));
    expect(listeners.reduce((sum, count) => sum + count, 0)).toBe(0);
  });
});

describe('leaveWithoutDatabase', () => {
  it('T1 R8 an attempt after one that the database was refused to → has errors of its own', () => {
    const client = idle({});
    let destroyed = 0;
    client.stream = { destroy: () => destroyed++ } as unknown as Redis['stream'];
    leaveWithoutDatabase(client);
    const after = (message: string, command?: { name: string }): string => {
      const error = Object.assign(new Error(message), { command });
      client.emit('error', error);
      return error.message;
    };
    client.emit('connecting');
    expect(after('ERR DB index is out of range', { name: 'select' })).toContain('DB index');
    expect(destroyed).toBe(1);
    expect(after('Connection is closed.')).toBe('ERR DB index is out of range');
    client.emit('connecting');
    expect(after('connect ECONNREFUSED')).toBe('connect ECONNREFUSED');
    expect(destroyed).toBe(1);
  });
});
