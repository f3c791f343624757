import type { Redis } from 'ioredis';
import type { Clock } from '../common/clock.js';
import { dropConnection } from './closing.js';
import { giveUpWhenSilent } from './silence.js';

/** Between two looks, while writes are refused. */
const PAUSE_MS = { least: 1_000, most: 10_000 };

/**
 * A server that answers READONLY is a replica. Behind a name or a proxy there may be a master by now, but only a new connection
 * finds it; and where there is none, reconnecting would cost reads for nothing. So a second connection looks first, at
 * once and then after 1, 2, 4, 8, 10 s, for as long as writes are refused.
 */
export class MasterSearch {
  private pauseMs = PAUSE_MS.least;
  private lookedAt = -Infinity;

  constructor(
    private readonly options: {
      clock: Clock;
      /** A client to the same address, for one connection and not connected yet. */
      createClient: () => Redis;
    },
  ) {}

  /** Of an error that the server has sent over this client. */
  hear(error: Error, client: Redis): void {
    if (!error.message.startsWith('READONLY')) return;
    const sinceMs = this.options.clock.monotonic() - this.lookedAt;
    if (sinceMs < this.pauseMs) return;
    const isNew = sinceMs > 2 * PAUSE_MS.most;
    this.pauseMs = isNew ? PAUSE_MS.least : Math.min(2 * this.pauseMs, PAUSE_MS.most);
    this.lookedAt = this.options.clock.monotonic();
    void this.look(client);
  }

  private async look(client: Redis): Promise<void> {
    const { stream } = client;
    const wouldHelp = await this.isMasterElsewhere(client).catch(() => false);
    if (wouldHelp && client.stream === stream && client.status === 'ready') client.disconnect(true);
  }

  private async isMasterElsewhere(client: Redis): Promise<boolean> {
    if ((await roleOf(client)) === 'master') return false;
    const { clock, createClient } = this.options;
    const other = createClient();
    other.on('error', () => undefined);
    giveUpWhenSilent(other, { clock });
    const drop = (): void => void dropConnection(other, clock);
    client.once('end', drop);
    try {
      await other.connect();
      return (await roleOf(other)) !== 'slave';
    } finally {
      client.off('end', drop);
      await dropConnection(other, clock);
    }
  }
}

/** A user who may not ask is told by reconnecting alone. */
async function roleOf(client: Redis): Promise<unknown> {
  try {
    return (await client.role())[0];
  } catch (error) {
    if ((error as Error).message.startsWith('NOPERM')) return 'unknown';
    throw error;
  }
}
