import type { Cluster } from 'ioredis';
import { deferred, type Deferred } from '../common/async.js';
import { readFromCluster, readOne } from './cluster-reads.js';
import type { RedisClient } from './topology.js';

type Bytes = Buffer | null;

type Reading = Deferred<Bytes> & {
  /** Others of this batch that read the same key; they get copies. */
  others?: Deferred<Bytes>[];
};

export interface ReadBatcherOptions {
  /** In a cluster all keys must be those of one master. */
  client: RedisClient;
  /** Keys in one command. */
  maxKeys: number;
  /** Goes around every command that is sent. */
  guard: (call: () => Promise<Bytes[]>) => Promise<Bytes[]>;
}

/**
 * Turns the reads of one tick into one command: GET for a lone key, else MGET; in a cluster, one for each slot. None joins a command that has been sent,
 * so what a read sees was read after it was asked for. A key that holds no string reads as null either way.
 *
 * A tick is what runs before the event loop turns: all the code and promise jobs that follow from one event, for
 * instance from one chunk of replies. So a flush costs no waiting for anything but work that was due anyway.
 */
export class ReadBatcher {
  private readings = new Map<string, Reading>();

  constructor(private readonly options: ReadBatcherOptions) {}

  read(key: string): Promise<Bytes> {
    const same = this.readings.get(key);
    if (!same) return this.add(key).promise;
    const other = deferred<Bytes>();
    (same.others ??= []).push(other);
    return other.promise;
  }

  /** As `read`, and all of one batch get the same bytes: not to be changed. */
  readShared(key: string): Promise<Bytes> {
    return (this.readings.get(key) ?? this.add(key)).promise;
  }

  private add(key: string): Reading {
    const reading: Reading = deferred();
    if (this.readings.size === 0) atEndOfTick(this.flush);
    this.readings.set(key, reading);
    if (this.readings.size >= this.options.maxKeys) this.flush();
    return reading;
  }

  private readonly flush = (): void => {
    if (this.readings.size === 0) return;
    const batch = this.readings;
    this.readings = new Map();
    this.options
      .guard(() => readAll(this.options.client, [...batch.keys()]))
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
}

/** After the promise jobs that are due now: a tick callback set from one of them runs when none is left. */
function atEndOfTick(flush: () => void): void {
  queueMicrotask(() => process.nextTick(flush));
}

async function readAll(client: RedisClient, keys: string[]): Promise<Bytes[]> {
  if (keys.length === 1) return [await readOne(client, keys[0]!)];
  return client.isCluster ? readFromCluster(client as Cluster, keys) : client.mgetBuffer(keys);
}

function give(reading: Reading, bytes: Bytes): void {
  reading.resolve(bytes);
  for (const other of reading.others ?? []) other.resolve(bytes && Buffer.from(bytes));
}

function refuse(reading: Reading, error: unknown): void {
  reading.reject(error);
  for (const other of reading.others ?? []) other.reject(error);
}
