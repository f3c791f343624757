import type { Clock } from '../common/clock.js';
import { CacheConnectionError } from '../common/errors.js';

type Refusal = (operation: string) => CacheConnectionError;

/** A call in line for a slot. */
export interface Waiting {
  readonly operation: string;
  start(sentAt: number): void;
  refuse(refusal: Refusal): void;
}

/** What keeps entries true, and must not wait for reads and fills. */
const URGENT = new Set(['evict', 'bumpTags', 'barrierBegin', 'barrierEnd', 'publish', 'heartbeat']);
/** Share of the slots that is left to them. */
const RESERVE = 0.1;
const MOST_WAITING = 10_000;

/**
 * The calls that a node has been sent and has not answered: at most so many, because the client keeps each of them, with
 * all its arguments, for as long. A call counts until its command settles, also when its caller has given it up.
 *
 * Beyond, a read is refused: it stands for all reads of its tick, so many of them mean that the node cannot keep up. Other
 * calls are one per key, and a bulk of them is nothing unusual; they wait in line, the urgent ones in front, 10 000 at
 * most, each within its own deadline.
 */
export class CallSlots {
  inFlight = 0;
  refused = 0;
  private readonly urgent = new Set<Waiting>();
  private readonly others = new Set<Waiting>();
  private readonly mostOthers: number;

  constructor(private readonly options: { node: string; most: number; clock: Clock }) {
    this.mostOthers = Math.ceil(options.most * (1 - RESERVE));
  }

  get waiting(): number {
    return this.urgent.size + this.others.size;
  }

  isFree(operation: string): boolean {
    return (
      this.inFlight < this.mostOthers ||
      (this.inFlight < this.options.most && URGENT.has(operation))
    );
  }

  isLineFull(): boolean {
    return this.waiting >= MOST_WAITING;
  }

  wait(call: Waiting): void {
    (URGENT.has(call.operation) ? this.urgent : this.others).add(call);
  }

  leave(call: Waiting): void {
    this.urgent.delete(call);
    this.others.delete(call);
  }

  /** One call fewer is in flight; the first in line takes its place. */
  giveBack(): void {
    this.inFlight--;
    if (this.urgent.size > 0) this.startFirst(this.urgent);
    else if (this.others.size > 0 && this.inFlight < this.mostOthers) this.startFirst(this.others);
  }

  /** Nobody is in line any more. */
  refuseAll(refusal: Refusal): void {
    const all = [...this.urgent, ...this.others];
    this.urgent.clear();
    this.others.clear();
    for (const call of all) call.refuse(refusal);
  }

  /** Of a call that is not sent for want of a slot. */
  refusal(operation: string): CacheConnectionError {
    this.refused++;
    return new CacheConnectionError(
      `${operation} was not sent: ${this.options.node} has ${this.inFlight} calls to answer already, and that is as many as it gets`,
    );
  }

  private startFirst(line: Set<Waiting>): void {
    const [first] = line;
    line.delete(first!);
    first!.start(this.options.clock.monotonic());
  }
}
