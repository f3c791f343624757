import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { neededPeer } from '../peers.js';

export interface Load {
  readonly url: string;
  readonly connections: number;
  /** In seconds. */
  readonly duration: number;
  /** The body that every answer must have. */
  readonly expectBody: string;
}

export interface Answered {
  readonly answered: number;
  readonly seconds: number;
}

/** Sends requests from another process. */
export class LoadSender {
  private constructor(private readonly child: ChildProcess) {}

  static async start(): Promise<LoadSender> {
    await neededPeer('autocannon');
    const child = fork(join(process.cwd(), 'bench', 'http', 'load.mjs'));
    await once(child, 'message');
    return new LoadSender(child);
  }

  /** Rejects where a request fails, or has another body. */
  async send(load: Load): Promise<Answered> {
    this.child.send(load);
    const [result] = (await once(this.child, 'message')) as [Answered & { failed: number }];
    if (result.failed > 0) throw new Error(`${load.url}: ${result.failed} requests have failed`);
    return result;
  }

  stop(): void {
    this.child.disconnect();
  }
}
