import type { Clock } from '../common/clock.js';
import { CacheConnectionError } from '../common/errors.js';

type Refusal = (operation: string) => CacheConnectionError;

/** A call that may have to wait for a slot. */
export interface Waiting {
  readonly kind: 'read' | 'write';
  readonly operation: string;
  start(sentAt: number): void;
  refuse(refusal: Refusal): void;
}

/** What keeps entries true, and must not wait for reads and fills. */
const URGENT = new Set([
  'evict',
  'bumpTags',
  'barrierBegin',
  'barrierRenew',
  'barrierEnd',
  'publish',
  'heartbeat',
]);
/** Share of the slots that is left to them. */
const RESERVE = 0.1;
const MOST_WAITING = 10_000;

/**
 * The calls that a node has been sent and has not answered: at most so many, because the client keeps each of them, with
 * all its arguments, for as long. A call counts until its command settles, also when its caller has given it up.
 *
 * Beyond, calls wait in line, each within its own deadline, as they would wait for their answers: a bulk of a few thousand
 * keys is nothing unusual, and through in no time. Urgent ones go first, then reads. When 10 000 wait, more are refused.
 */
export class CallSlots {
  inFlight = 0;
  refused = 0;
  private readonly lines = {
    urgent: new Set<Waiting>(),
    reads: new Set<Waiting>(),
    others: new Set<Waiting>(),
  };
  private readonly mostOthers: number;

  constructor(private readonly options: { node: string; most: number; clock: Clock }) {
    this.mostOthers = Math.ceil(options.most * (1 - RESERVE));
  }

  get waiting(): number {
    const { urgent, reads, others } = this.lines;
    return urgent.size + reads.size + others.size;
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
    this.lineOf(call).add(call);
  }

  leave(call: Waiting): void {
    this.lineOf(call).delete(call);
  }

  /** One call fewer is in flight; the first in line takes its place. */
  giveBack(): void {
    this.inFlight--;
    const { urgent, reads, others } = this.lines;
    if (urgent.size > 0) this.startFirst(urgent);
    else if (reads.size + others.size > 0 && this.inFlight < this.mostOthers)
      this.startFirst(reads.size > 0 ? reads : others);
  }

  /** Nobody is in line any more. */
  refuseAll(refusal: Refusal): void {
    for (const line of Object.values(this.lines))
      for (const call of line) {
        line.delete(call);
        call.refuse(refusal);
      }
  }

  /** Of a call that is not sent for want of a slot. */
  refusal(operation: string): CacheConnectionError {
    this.refused++;
    const { inFlight, waiting } = this;
    return new CacheConnectionError(
      `${operation} was not sent: ${this.options.node} has ${inFlight} calls to answer, as many as it gets, and ${waiting} wait`,
    );
  }

  private lineOf({ kind, operation }: Waiting): Set<Waiting> {
    const { urgent, reads, others } = this.lines;
    if (URGENT.has(operation)) return urgent;
    return kind === 'read' ? reads : others;
  }

  private startFirst(line: Set<Waiting>): void {
    const [first] = line;
    line.delete(first!);
    first!.start(this.options.clock.monotonic());
  }
}
