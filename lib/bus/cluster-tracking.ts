import type { Cluster, Redis } from 'ioredis';
import { nameOfNode } from '../redis/cluster-nodes.js';
import type { Shard } from '../redis/topology.js';
import type { JoinedSink, JointSink } from './joint-sink.js';
import { Tracking, type TrackingOptions } from './tracking.js';

export interface ClusterTrackingOptions extends Omit<TrackingOptions, 'shard' | 'createClient'> {
  cluster: Cluster;
  /** A client for one pub/sub connection to that master, not connected yet. */
  createClient: (master: Shard) => Redis;
  /** Open while every master is tracked. */
  joint: JointSink;
}

/** All that changes the client's masters; what a failed refresh has left of them is told by `node error`. */
const CHANGES = ['ready', 'refresh', '+node', '-node', 'node error', 'close', 'end'] as const;

/**
 * The tracking of each master of a cluster, as many as the client has at the moment. Of a master that it does not have
 * nothing can be read; as soon as it has one, copies are not used until that one is tracked.
 *
 * Every node hears what is published at any, so each tracking has a heartbeat channel of its own, heard over the tracked
 * connection, and sends its beats over the client's connection to that very master.
 */
export class ClusterTracking {
  private readonly masters = new Map<Redis, { tracking: Tracking; joined: JoinedSink }>();
  /** Shut while the masters are not known: having none is not having tracked all. */
  private readonly known: JoinedSink;
  private channels = 0;
  private ended: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ClusterTrackingOptions) {
    this.known = options.joint.join();
  }

  start(): void {
    for (const event of CHANGES) this.options.cluster.on(event, this.follow);
    this.follow();
  }

  /** Ends in whatever state it is. May be called twice. */
  async close(): Promise<void> {
    for (const event of CHANGES) this.options.cluster.off(event, this.follow);
    this.keep([]);
    await this.ended;
  }

  private readonly follow = (): void => {
    const { cluster } = this.options;
    // Before that every seed is taken for a master.
    this.keep(cluster.status === 'ready' ? cluster.nodes('master') : []);
  };

  /** Those that have come are waited for before those that have gone are not any more. */
  private keep(masters: readonly Redis[]): void {
    if (masters.length === 0) this.known.shut();
    for (const master of masters) if (!this.masters.has(master)) this.add(master);
    for (const master of this.masters.keys()) if (!masters.includes(master)) this.remove(master);
    if (masters.length > 0) this.known.open();
  }

  private add(master: Redis): void {
    const { options } = this;
    const joined = options.joint.join();
    const shard = { name: nameOfNode(master), client: master };
    const tracking = new Tracking({
      ...options,
      shard,
      createClient: () => options.createClient(shard),
      channel: `${options.channel}:${this.channels++}`,
      sink: { ...options.sink, ...joined },
    });
    this.masters.set(master, { tracking, joined });
    // A client of the application connects to a master with the first command for it.
    if (master.status === 'wait') master.connect().catch(() => undefined);
    tracking.start();
  }

  private remove(master: Redis): void {
    const { tracking, joined } = this.masters.get(master)!;
    this.masters.delete(master);
    this.ended = Promise.all([this.ended, tracking.close()]);
    joined.leave();
  }
}
