import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheService } from '../../../lib/cache/cache.service.js';

interface Read {
  beganAt: number;
  tookMs: number;
  hit: boolean;
}

/** Load: readers that ask for their key again and again, with a loader that takes no time, so that all of it is overhead. */
export class Readers {
  readonly reads: Read[] = [];
  private running = true;
  private readonly ended: Promise<unknown>;

  constructor(service: CacheService, count = 20) {
    this.ended = Promise.all(Array.from({ length: count }, (_, i) => this.go(service, `k${i}`)));
  }

  hits(): number {
    return this.reads.filter(({ hit }) => hit).length;
  }

  /** Of the reads that began in that time: how long they took, shortest first. */
  between(from: number, until: number): number[] {
    return this.reads
      .filter(({ beganAt }) => beganAt >= from && beganAt < until)
      .map(({ tookMs }) => tookMs)
      .toSorted((a, b) => a - b);
  }

  firstHitAfter(moment: number): Read | undefined {
    return this.reads.find(({ beganAt, hit }) => hit && beganAt >= moment);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.ended;
  }

  private async go(service: CacheService, key: string): Promise<void> {
    while (this.running) {
      const beganAt = performance.now();
      let hit = true;
      await service.getOrSet(key, () => {
        hit = false;
        return 'v';
      });
      this.reads.push({ beganAt, tookMs: performance.now() - beganAt, hit });
      await sleep(5);
    }
  }
}
