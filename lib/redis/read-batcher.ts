import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import { atEndOfTick, deferred } from '../common/async.js';
import { readFromCluster, readOne, readSeveral } from './cluster-reads.js';
import type { RedisClient } from './topology.js';

type Bytes = Buffer | null;

/** Takes what is at a key, not to be changed: called rather than promised, where there are thousands in a tick. */
export interface BytesTaker {
  give(bytes: Bytes): void;
  refuse(error: unknown): void;
}

interface Reading {
  readonly taker: BytesTaker;
  /** Others of this batch that read the same key. */
  others?: BytesTaker[];
  /** Of those to whom the same bytes are good enough. */
  shared?: Promise<Bytes>;
}

export interface ReadBatcherOptions {
  /** In a cluster all keys must be those of one master. */
  client: RedisClient;
  /** Keys in one command. */
  maxKeys: number;
  /** Goes around every command that is sent. */
  guard: (call: () => Promise<Bytes[]>) => Promise<Bytes[]>;
}

/** Who waits for so many keys together has a lot to go on with. */
const MANY_KEYS = 256;

/**
 * Turns the reads of one tick into one command: GET for a lone key, else MGET; in a cluster, one for each slot. None joins a command that has been sent,
 * so what a read sees was read after it was asked for. A key that holds no string reads as null either way.
 *
 * A tick is what runs before the event loop turns: all the code and promise jobs that follow from one event, for
 * instance from one chunk of replies. So a flush costs no waiting for anything but work that was due anyway.
 *
 * The values of many keys are given in a turn of the event loop that is theirs alone: those of ten thousand reads arrive
 * together, and an evict's answer would wait until the last of them has gone on.
 */
export class ReadBatcher {
  private readings = new Map<string, Reading>();
  /** When the last values of many keys have been given. */
  private given: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ReadBatcherOptions) {}

  /** The bytes are the reader's own, unless somebody else reads the same key by `readTo` or `readShared`. */
  read(key: string): Promise<Bytes> {
    const { promise, resolve, reject } = deferred<Bytes>();
    const give = this.readings.has(key)
      ? (bytes: Bytes): void => resolve(bytes && Buffer.from(bytes))
      : resolve;
    this.readTo(key, { give, refuse: reject });
    return promise;
  }

  readTo(key: string, taker: BytesTaker): void {
    const same = this.readings.get(key);
    if (same) (same.others ??= []).push(taker);
    else this.add(key, { taker });
  }

  /** As `read`, and all of one batch get the same bytes: not to be changed. */
  readShared(key: string): Promise<Bytes> {
    const same = this.readings.get(key);
    if (same?.shared) return same.shared;
    const { promise, resolve, reject } = deferred<Bytes>();
    const taker = { give: resolve, refuse: reject };
    if (same) {
      (same.others ??= []).push(taker);
      return (same.shared = promise);
    }
    this.add(key, { taker, shared: promise });
    return promise;
  }

  private add(key: string, reading: Reading): void {
    if (this.readings.size === 0) atEndOfTick(this.flush);
    this.readings.set(key, reading);
    if (this.readings.size >= this.options.maxKeys) this.flush();
  }

  /** Sends what has been asked for, before the tick is over. */
  readonly flush = (): void => {
    if (this.readings.size === 0) return;
    const batch = this.readings;
    this.readings = new Map();
    this.options
      .guard(() => readAll(this.options.client, [...batch.keys()]))
      .then((values) => (batch.size < MANY_KEYS ? values : this.inTurn(values)))
      .then(
        (values) => {
          let i = 0;
          for (const reading of batch.values()) give(reading, values[i++] ?? null);
        },
        (error: unknown) => {
          for (const reading of batch.values()) refuse(reading, error);
        },
      );
  };

  private inTurn(values: Bytes[]): Promise<Bytes[]> {
    const turn = this.given.then(() => nextTurn(values));
    this.given = turn;
    return turn;
  }
}

async function readAll(client: RedisClient, keys: string[]): Promise<Bytes[]> {
  if (keys.length === 1) return [await readOne(client, keys[0]!)];
  return client.isCluster ? readFromCluster(client as Cluster, keys) : readSeveral(client, keys);
}

function give({ taker, others }: Reading, bytes: Bytes): void {
  taker.give(bytes);
  for (const other of others ?? []) other.give(bytes);
}

function refuse({ taker, others }: Reading, error: unknown): void {
  taker.refuse(error);
  for (const other of others ?? []) other.refuse(error);
}
