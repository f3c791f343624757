import type { Clock } from '../common/clock.js';
import { CallSlots } from './call-slots.js';
import { CircuitBreaker, type CircuitChange, type CircuitState } from './circuit-breaker.js';
import { Deadlines } from './deadlines.js';
import { GuardedCall, type Command, type Node } from './guarded-call.js';

export type CallKind = 'read' | 'write';

export interface CallGuardOptions {
  /** `timeouts.read`. */
  readMs: number;
  /** `timeouts.write`. */
  writeMs: number;
  clock: Clock;
  /** Sends a PING to a node, fails where there is no connection. Without it a node is called whether it answers or not. */
  ping?: (node: string) => Promise<unknown>;
  onStateChange?: (change: CircuitChange) => void;
  /** Calls that a node may leave unanswered before others wait; default 1 000, one in ten of them for evicts. */
  maxInFlight?: number;
}

/** What has become of a node's calls so far. */
export interface NodeHealth {
  state: CircuitState;
  /** Times that it was found not to answer. */
  opened: number;
  /** Calls that were not sent: because it did not answer, and because it had too many to answer. */
  refused: { open: number; full: number };
  inFlight: number;
  /** In line for a slot. */
  waiting: number;
}

/** A client may drop a command without a word when its connection goes; so long after its deadline it is taken for dropped. */
const DROPPED_AFTER_MS = 10_000;

/**
 * Stands around every call to Redis: it ends within its deadline, or at once where the node is known not to answer, and
 * fails with `CacheConnectionError` or `CacheTimeoutError`, whose cause has no payload in it. A programming error passes
 * as it is.
 *
 * A call that is given up goes on: nothing can be taken back from a socket. It may be carried out later, which is why
 * every script can be sent twice.
 */
export class CallGuard {
  private readonly kinds: Record<CallKind, Pick<Command<unknown>, 'deadlines' | 'limit'>>;
  private readonly overdue: Deadlines;
  /** Every server that was called. */
  private readonly nodes = new Map<string, Node>();

  constructor(private readonly options: CallGuardOptions) {
    const { readMs, writeMs, clock } = options;
    this.kinds = {
      read: { deadlines: new Deadlines(readMs, clock), limit: `${readMs} ms (timeouts.read)` },
      write: { deadlines: new Deadlines(writeMs, clock), limit: `${writeMs} ms (timeouts.write)` },
    };
    this.overdue = new Deadlines(DROPPED_AFTER_MS, clock);
  }

  /** `node` is the server's name, also in errors. */
  run<T>(kind: CallKind, operation: string, call: () => Promise<T>, node = 'Redis'): Promise<T> {
    const to = this.nodes.get(node) ?? this.meet(node);
    const { breaker, slots } = to;
    if (breaker && breaker.state !== 'closed') return Promise.reject(breaker.refusal(operation));
    const isFree = slots.isFree(operation);
    if (!isFree && slots.isLineFull()) return Promise.reject(slots.refusal(operation));
    const { deadlines, limit } = this.kinds[kind];
    return new Promise((resolve, reject) => {
      const command = { kind, operation, call, deadlines, limit };
      const guarded = new GuardedCall(to, command, { resolve, reject });
      if (isFree) guarded.start();
      else slots.wait(guarded);
    });
  }

  state(node: string): CircuitState {
    return this.nodes.get(node)?.breaker?.state ?? 'closed';
  }

  /** A snapshot, by the names of all servers that were ever called. */
  health(): Map<string, NodeHealth> {
    const health = new Map<string, NodeHealth>();
    for (const [name, { breaker, slots }] of this.nodes)
      health.set(name, {
        state: this.state(name),
        opened: breaker?.opened ?? 0,
        refused: { open: breaker?.refused ?? 0, full: slots.refused },
        inFlight: slots.inFlight,
        waiting: slots.waiting,
      });
    return health;
  }

  /** There is a new connection to a node: it may answer again. */
  connected(node: string): void {
    const known = this.nodes.get(node);
    if (!known) return;
    known.lost = undefined;
    known.breaker?.ask();
  }

  /** A connection to a node was lost, or cannot be made. */
  disconnected(node: string, why: Error): void {
    (this.nodes.get(node) ?? this.meet(node)).lost = why;
  }

  /** Servers that have gone are not asked any more whether they answer; one that comes back begins anew. */
  forgetOthers(than: ReadonlySet<string>): void {
    for (const [name, { breaker }] of this.nodes) {
      if (than.has(name)) continue;
      this.nodes.delete(name);
      breaker?.stop();
      if (breaker && breaker.state !== 'closed')
        this.options.onStateChange?.({
          node: name,
          state: 'closed',
          message: `${name} is none of the servers any more, and is not waited for`,
        });
    }
  }

  /** Sends no more PINGs. */
  close(): void {
    for (const { breaker } of this.nodes.values()) breaker?.stop();
  }

  private meet(name: string): Node {
    const { ping, clock, maxInFlight = 1_000 } = this.options;
    // One is left for the PING.
    const slots = new CallSlots({ node: name, most: maxInFlight - 1, clock });
    const node: Node = { name, slots, breaker: undefined, lost: undefined, overdue: this.overdue };
    if (ping) node.breaker = this.createBreaker(node, ping);
    this.nodes.set(name, node);
    return node;
  }

  private createBreaker(node: Node, ping: NonNullable<CallGuardOptions['ping']>): CircuitBreaker {
    const { clock, onStateChange } = this.options;
    const call = (): Promise<unknown> => ping(node.name);
    const command = { kind: 'read', operation: 'ping', call, ...this.kinds.read } as const;
    const breaker = new CircuitBreaker({
      node: node.name,
      clock,
      probe: () =>
        new Promise((resolve, reject) =>
          new GuardedCall(node, command, { resolve, reject }).start(),
        ),
      onChange: (change) => {
        if (change.state === 'open')
          node.slots.refuseAll((operation) => breaker.refusal(operation));
        onStateChange?.(change);
      },
    });
    return breaker;
  }
}
