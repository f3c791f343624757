import { isCacheError } from '../common/errors.js';
import type { CallSlots, Waiting } from './call-slots.js';
import type { CircuitBreaker } from './circuit-breaker.js';
import type { Deadline, Deadlines } from './deadlines.js';
import { isReply, lateAnswer, toCacheError } from './redis-failure.js';

/** What all calls to one server share. */
export interface Node {
  readonly name: string;
  readonly slots: CallSlots;
  /** Undefined: it is called whether it answers or not. */
  breaker: CircuitBreaker | undefined;
  /** Why there is no connection; undefined: there is one, or nobody knows. */
  lost: Error | undefined;
  /** For calls that nobody waits for any more, and whose commands have not settled. */
  readonly overdue: Deadlines;
}

export interface Command<T> {
  readonly kind: 'read' | 'write';
  readonly operation: string;
  readonly call: () => Promise<T>;
  readonly deadlines: Deadlines;
  /** Their length, and the option that sets it. */
  readonly limit: string;
}

interface Caller<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** One call, from the moment somebody waits for it until its slot is free again. */
export class GuardedCall<T> implements Waiting {
  private stage: 'in line' | 'sent' | 'given up' | 'over' = 'in line';
  /** The caller's, and once it has given up the command's. */
  private deadline: Deadline;
  private sentAt: number;

  constructor(
    private readonly node: Node,
    private readonly command: Command<T>,
    private readonly caller: Caller<T>,
  ) {
    this.deadline = command.deadlines.set(() => this.expire());
    this.sentAt = this.deadline.setAt;
  }

  get kind(): 'read' | 'write' {
    return this.command.kind;
  }

  get operation(): string {
    return this.command.operation;
  }

  /** Sends it. */
  start(sentAt = this.sentAt): void {
    this.stage = 'sent';
    this.sentAt = sentAt;
    this.node.slots.inFlight++;
    try {
      this.command.call().then(
        (value) => {
          if (this.stage === 'sent') this.node.breaker?.answered(this.sentAt);
          this.settle();
          this.caller.resolve(value);
        },
        (error: unknown) => this.fail(error),
      );
    } catch (error) {
      this.fail(error);
    }
  }

  /** It will not be sent. */
  refuse(refusal: CallSlots['refusal']): void {
    this.stage = 'over';
    this.command.deadlines.clear(this.deadline);
    this.caller.reject(refusal(this.operation));
  }

  private fail(error: unknown): void {
    const { name, breaker, lost } = this.node;
    const failure = toCacheError(error, this.operation, name, lost);
    if (this.stage === 'sent') {
      if (isReply(error)) breaker?.answered(this.sentAt);
      else if (failure !== error && isCacheError(failure)) breaker?.failed(this.sentAt, failure);
    }
    this.settle();
    this.caller.reject(failure);
  }

  private expire(): void {
    const { name, slots, breaker, overdue } = this.node;
    const { operation, limit } = this.command;
    if (this.stage === 'in line') {
      this.stage = 'over';
      slots.leave(this);
      return this.caller.reject(slots.refusal(operation));
    }
    this.stage = 'given up';
    this.deadline = overdue.set(() => {
      this.stage = 'over';
      slots.giveBack();
    });
    const error = lateAnswer(operation, name, limit);
    breaker?.failed(this.sentAt, error);
    this.caller.reject(error);
  }

  private settle(): void {
    const { stage, command, node } = this;
    if (stage === 'over') return;
    this.stage = 'over';
    (stage === 'sent' ? command.deadlines : node.overdue).clear(this.deadline);
    node.slots.giveBack();
  }
}
