import type { Cluster, Redis } from 'ioredis';
import { hashSlot } from '../keys/hash-slot.js';
import { masterNamed, ownerOf } from './cluster-nodes.js';
import { FlatCommand } from './flat-command.js';
import { inOneWrite } from './one-write.js';
import type { RedisClient } from './topology.js';

type Bytes = Buffer | null;

/** What a node answers that does not have the slot, or not all keys of it. */
const ELSEWHERE = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /;

/**
 * The values of keys that one master has, in one write to its socket: an MGET for each slot. In a pipeline the client would not
 * follow single slots that move.
 */
export async function readFromCluster(cluster: Cluster, keys: readonly string[]): Promise<Bytes[]> {
  const slots = new Map<number, string[]>();
  for (const key of keys) {
    const slot = hashSlot(key);
    const others = slots.get(slot);
    if (others) others.push(key);
    else slots.set(slot, [key]);
  }
  const [first] = slots.keys();
  const owner = ownerOf(cluster, first!);
  const master = owner === undefined ? undefined : readyMaster(cluster, owner);
  const values = new Map<string, Bytes>();
  const read = async (group: readonly string[]): Promise<void> => {
    const found = await readSlot(cluster, group, master);
    for (const [i, key] of group.entries()) values.set(key, found[i] ?? null);
  };
  const written = master ? [{ name: owner!, client: master }] : [];
  await Promise.all(inOneWrite(written, () => [...slots.values()].map(read)));
  return keys.map((key) => values.get(key)!);
}

/** GET, for which a key that holds no string is absent. */
export async function readOne(client: RedisClient, key: string): Promise<Bytes> {
  try {
    return await client.getBuffer(key);
  } catch (error) {
    if ((error as Error).message.startsWith('WRONGTYPE')) return null;
    throw error;
  }
}

export const readSeveral = (client: RedisClient, keys: readonly string[]): Promise<Bytes[]> =>
  client.sendCommand(new FlatCommand('mget', keys)) as Promise<Bytes[]>;

/**
 * An MGET goes to the master past the client, which would repeat it for as long as the slot is moving and some of its keys
 * are there, others not: the normal case, for most keys that are read together do not exist.
 */
async function readSlot(
  cluster: Cluster,
  keys: readonly string[],
  master: Redis | undefined,
): Promise<Bytes[]> {
  const each = (): Promise<Bytes[]> => Promise.all(keys.map((key) => readOne(cluster, key)));
  if (!master) return each();
  try {
    return await readSeveral(master, keys);
  } catch (error) {
    if (ELSEWHERE.test((error as Error).message)) return each();
    throw error;
  }
}

function readyMaster(cluster: Cluster, name: string): Redis | undefined {
  const master = masterNamed(cluster, name);
  return master?.status === 'ready' ? master : undefined;
}
