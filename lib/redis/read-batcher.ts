import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import { atEndOfTick, deferred, type Deferred } from '../common/async.js';
import { readFromCluster, readOne, readSeveral } from './cluster-reads.js';
import type { RedisClient } from './topology.js';

type Bytes = Buffer | null;

/** What somebody reads at once. */
interface Group {
  readonly keys: readonly string[];
  readonly resolve: (bytes: Bytes[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface ReadBatcherOptions {
  /** In a cluster all keys must be those of one master. */
  client: RedisClient;
  /** Keys in one command, unless one group alone has more. */
  maxKeys: number;
  /** Goes around every command that is sent. */
  guard: (call: () => Promise<Bytes[]>) => Promise<Bytes[]>;
}

/** Who waits for so many keys together has a lot to go on with. */
const MANY_KEYS = 256;

/**
 * Turns the reads of one tick into one command: GET for a lone key, else MGET; in a cluster, an MGET for each slot. None joins a command that has been sent,
 * so what a read sees was read after it was asked for. A key that holds no string reads as null either way.
 *
 * A tick is what runs before the event loop turns: all the code and promise jobs that follow from one event, for
 * instance from one chunk of replies. So a flush costs no waiting for anything but work that was due anyway.
 *
 * The values of many keys are given in a turn of the event loop that is theirs alone: those of ten thousand reads arrive
 * together, and an evict's answer would wait until the last of them has gone on.
 */
export class ReadBatcher {
  private single = new Map<string, Deferred<Bytes>>();
  private groups: Group[] = [];
  /** Keys of both. */
  private asked = 0;
  /** When the last values of many keys have been given. */
  private given: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ReadBatcherOptions) {}

  /** The bytes are the reader's own. */
  async read(key: string): Promise<Bytes> {
    const bytes = await this.readShared(key);
    return bytes && Buffer.from(bytes);
  }

  /** All who read a key by this in one tick get the same bytes: not to be changed. */
  readShared(key: string): Promise<Bytes> {
    let reading = this.single.get(key);
    if (!reading) {
      this.single.set(key, (reading = deferred()));
      this.grow(1);
    }
    return reading.promise;
  }

  /** The bytes at each key, from one command. */
  readAll(keys: readonly string[]): Promise<Bytes[]> {
    return new Promise((resolve, reject) => {
      this.groups.push({ keys, resolve, reject });
      this.grow(keys.length);
    });
  }

  private grow(keys: number): void {
    if (this.asked === 0) atEndOfTick(this.flush);
    this.asked += keys;
    if (this.asked >= this.options.maxKeys) this.flush();
  }

  /** Sends what has been asked for, before the tick is over. */
  readonly flush = (): void => {
    if (this.asked === 0) return;
    const { single, groups } = this;
    this.single = new Map();
    this.groups = [];
    this.asked = 0;
    const keys = [...single.keys()];
    for (const group of groups) keys.push(...group.keys);
    const give = (values: Bytes[]): void => {
      let i = 0;
      for (const { resolve } of single.values()) resolve(values[i++] ?? null);
      for (const { keys: own, resolve } of groups) resolve(values.slice(i, (i += own.length)));
    };
    this.options
      .guard(() => send(this.options.client, keys))
      .then(
        (values) => (keys.length < MANY_KEYS ? give(values) : this.inTurn(() => give(values))),
        (error: unknown) => {
          for (const { reject } of single.values()) reject(error);
          for (const { reject } of groups) reject(error);
        },
      );
  };

  private inTurn(give: () => void): void {
    this.given = this.given.then(() => nextTurn()).then(give);
  }
}

async function send(client: RedisClient, keys: string[]): Promise<Bytes[]> {
  // Awaited: to give a promise on takes two turns of the job queue more.
  if (client.isCluster) return await readFromCluster(client as Cluster, keys);
  if (keys.length === 1) return [await readOne(client, keys[0]!)];
  return await readSeveral(client, keys);
}
