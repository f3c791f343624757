import type { Cluster, Redis } from 'ioredis';
import { CacheConnectionError } from '../common/errors.js';
import { masterNamed, nameOfNode, ownersIn } from './cluster-nodes.js';

/** One server that is walked over. */
export interface ScannedServer {
  readonly name: string;
  readonly client: Redis;
}

type Masters = ReadonlyMap<string, ScannedServer>;

/** Walks again in a row; more slots move than can be followed. */
const MOST_WALKS = 8;

/**
 * Walks over all masters, and once more over those that have been given slots meanwhile: a key that has left its master
 * before that was looked at has come to another one, perhaps behind the walk. A key moves before its slot does, so a master that
 * only expects slots counts as one that has got some.
 *
 * `slotsOf` says which slots a master has, is giving away and expects. Throws `CacheConnectionError` where a master that has
 * slots cannot be asked: what it has nobody would know.
 */
export async function* scanMasters<T>(
  cluster: Cluster,
  name: string,
  {
    scan,
    slotsOf,
  }: {
    scan: (server: ScannedServer) => AsyncIterable<T>;
    slotsOf: (server: ScannedServer) => Promise<string>;
  },
): AsyncGenerator<T, void, void> {
  const look = async (): Promise<Map<string, string>> => {
    const masters = [...mastersOf(cluster, name).values()];
    const slots = await Promise.all(masters.map(slotsOf));
    return new Map(masters.map((master, i) => [master.name, slots[i]!]));
  };
  let before = await look();
  let due = [...before.keys()];
  let isFirst = true;
  for (let walks = 0; due.length > 0; walks++) {
    if (walks === MOST_WALKS)
      throw new CacheConnectionError(
        `scan failed at ${name}: its slots move on and on; begin again once they stay where they are`,
      );
    const masters = mastersOf(cluster, name);
    for (const each of due) {
      const master = masters.get(each);
      if (master) yield* scan(master);
    }
    const after = await look();
    due = [...after].flatMap(([each, slots]) =>
      before.get(each) !== slots || (isFirst && EXPECTS.test(slots)) ? [each] : [],
    );
    before = after;
    isFirst = false;
  }
}

/** Of `slotsOf`: another master's slot is on its way. */
const EXPECTS = /-<-/;

/** As a master tells of itself, see CLUSTER NODES; '' where its user may not ask. */
export async function slotsAt({ client }: ScannedServer): Promise<string> {
  try {
    const nodes = (await client.cluster('NODES')) as string;
    const own = nodes.split('\n').find((line) => line.includes('myself'));
    return own?.split(' ').slice(8).join(' ') ?? '';
  } catch (error) {
    if ((error as Error).message.startsWith('NOPERM')) return '';
    throw error;
  }
}

/** All that have slots, and those that may get some. */
function mastersOf(cluster: Cluster, name: string): Masters {
  const missing = ownersIn(cluster).find((owner) => !masterNamed(cluster, owner));
  const masters = cluster.nodes('master');
  // The client has given it up, and its slots are nobody else's yet.
  if (missing !== undefined)
    throw new CacheConnectionError(`scan failed at ${missing}: there is no connection to it`);
  if (masters.length === 0)
    throw new CacheConnectionError(`scan failed at ${name}: no master of the cluster is known yet`);
  return new Map(
    masters.map((client) => [nameOfNode(client), { name: nameOfNode(client), client }]),
  );
}
