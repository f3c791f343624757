import type { Cluster } from 'ioredis';
import type { Clock, TimerHandle } from '../common/clock.js';
import { masterNamed, ownersIn } from './cluster-nodes.js';

/** How often the connections are looked at, which costs nothing; while one is missing the cluster is asked each time. */
const LOOK_MS = 500;

/**
 * Keeps what a client knows of its cluster fresh. Left alone, the client learns of a failover only from a node that it
 * happens to ask for the wrong slot, and from a frozen master never.
 *
 * Asked is a node by chance, over a connection of its own: after `intervalMs`, and more often while a master is not there.
 */
export class ClusterRefresh {
  private timer: TimerHandle;
  private refreshedAt: number;
  /** Masters with slots, by name. */
  private owners: readonly string[] = [];
  private stopped = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly options: { clock: Clock; intervalMs: number },
  ) {
    this.refreshedAt = options.clock.monotonic();
    cluster.on('refresh', this.onRefresh).on('ready', this.onRefresh);
    this.lookLater();
  }

  stop(): void {
    this.stopped = true;
    this.options.clock.clearTimer(this.timer);
    this.cluster.off('refresh', this.onRefresh).off('ready', this.onRefresh);
  }

  private readonly onRefresh = (): void => {
    this.refreshedAt = this.options.clock.monotonic();
    this.owners = ownersIn(this.cluster);
    this.connectMasters();
  };

  /** Without it a node is connected to when it gets its first command, and what follows in the meantime has to wait. */
  private connectMasters(): void {
    // Before that the client asks whether the cluster is well, and takes a node that is about to connect for a failure.
    if (this.cluster.status !== 'ready') return;
    for (const node of this.cluster.nodes('master'))
      if (node.status === 'wait') node.connect().catch(() => undefined);
  }

  private lookLater(): void {
    const { clock, intervalMs } = this.options;
    this.timer = clock.setTimer(LOOK_MS, () => {
      const isDue = clock.monotonic() - this.refreshedAt >= intervalMs;
      if (this.cluster.status === 'ready' && (isDue || this.isMasterMissing())) this.refresh();
      else this.lookLater();
    });
  }

  private isMasterMissing(): boolean {
    // Also one that the client has given up: it is no node any more, and has its slots nevertheless.
    return this.owners.some((name) => masterNamed(this.cluster, name)?.status !== 'ready');
  }

  private refresh(): void {
    this.cluster.refreshSlotsCache((error) => {
      if (this.stopped) return;
      if (error) this.giveUpReplicas();
      this.lookLater();
    });
  }

  /**
   * No node has answered. Masters are given up by themselves after some attempts; with the last node the client goes back
   * to the seeds, which may have other addresses by now. Replicas, to which it is not connected, would keep it from that.
   */
  private giveUpReplicas(): void {
    for (const node of this.cluster.nodes()) if (node.status === 'wait') node.disconnect();
  }
}
