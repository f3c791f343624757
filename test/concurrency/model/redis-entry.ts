import type { RecordOf, World } from './world.js';

/** Newest version of the row in the low bits, what a tag table makes of it above. */
export const COPY_BITS = 5;
const VERSION_BITS = 2;
export const versionOf = (copy: number): number => copy & ((1 << VERSION_BITS) - 1);
export const stampOf = (copy: number): number => copy >> VERSION_BITS;
export const stamped = (version: number, stamp: number): number =>
  version | (stamp << VERSION_BITS);

const ENTRY = {
  type: ['absent', 'value', 'lease', 'barrier'],
  copy: COPY_BITS,
  /** Older than its ttl, kept for its grace. */
  soft: 'flag',
  tainted: 'flag',
} as const;

/**
 * Whoever remembers an id: a lease's token, the fill id of a value seen, membership of a barrier. Ids never repeat, so
 * one that has left the key never comes back, and all that matters of an id is whether it is still there.
 */
export interface Holder {
  holds: boolean;
}

/** A flight, as far as the scripts see it. */
export interface Acquisition extends Holder {
  copy: number;
  refresh: boolean;
}

/** A writer, as far as the barrier's scripts see it. */
export interface BarrierWriter extends Holder {
  version: number;
  /** It has committed for sure, and gives END the value. */
  gives: boolean;
}

/** The one key, and the scripts: each one step. The counterpart of `lib/store/lua`. */
export class RedisEntry {
  readonly now: RecordOf<typeof ENTRY>;
  private readonly holders: Holder[] = [];
  private readonly writers: BarrierWriter[] = [];

  constructor(private readonly world: World) {
    this.now = world.record(ENTRY);
  }

  rememberedBy(holders: readonly Holder[]): void {
    this.holders.push(...holders);
  }

  /** Puts something else there, under an id of its own. */
  private put(type: 'absent' | 'value' | 'lease' | 'barrier', copy = 0): void {
    this.world.clear(this.now);
    this.now.type = type;
    this.now.copy = copy;
    for (const holder of this.holders) holder.holds = false;
  }

  expire(): void {
    this.put('absent');
  }

  /** A flight that holds the id of a value has rejected that value. */
  acquire(flight: Acquisition): 'granted' | 'value' | 'held' | 'barrier' {
    const { type, copy } = this.now;
    if (type === 'barrier' && this.world.weak('readercaches')) return 'granted';
    if (type === 'barrier' && !this.world.weak('barrieropen')) return 'barrier';
    if (type === 'lease') return flight.holds ? 'granted' : 'held';
    if (type === 'value' && !flight.holds) {
      flight.copy = copy;
      return 'value';
    }
    this.put('lease');
    flight.holds = true;
    return 'granted';
  }

  /** A copy that comes late, of a flight that is over or not. */
  acquireLate(flight: Holder | undefined): string {
    if (this.now.type !== 'absent') return 'held';
    this.put('lease');
    if (flight && this.world.weak('resend')) flight.holds = true;
    return 'granted';
  }

  fill(flight: Acquisition): boolean {
    if (!this.mayFill(flight)) return false;
    this.put('value', flight.copy);
    return true;
  }

  private mayFill(flight: Acquisition): boolean {
    const { type } = this.now;
    if (this.world.weak('nocas')) return true;
    if (this.world.weak('nilok') && type === 'absent') return true;
    if (this.world.weak('readercaches') && type === 'barrier') return true;
    if (this.world.weak('refreshexists') && flight.refresh) return type === 'value';
    return flight.holds && (type === 'lease' || type === 'value' || type === 'barrier');
  }

  release(flight: Acquisition): void {
    if (flight.holds && this.now.type === 'lease') this.put('absent');
  }

  evict(): void {
    if (this.now.type === 'barrier' && !this.world.weak('evictdeletes')) this.now.tainted = true;
    else if (this.now.type !== 'lease' || !this.world.weak('lockkeep')) this.put('absent');
  }

  write(copy: number): boolean {
    if (this.now.type !== 'barrier') this.put('value', copy);
    else if (!this.world.weak('writepasses')) this.now.tainted = true;
    return this.now.type === 'value';
  }

  barrierOf(writers: readonly BarrierWriter[]): void {
    this.writers.push(...writers);
    this.rememberedBy(writers);
  }

  barrierBegin(writer: BarrierWriter): void {
    if (this.now.type === 'barrier') {
      if (!this.world.weak('noshare')) this.now.tainted = true;
    } else if (this.now.type === 'lease' && this.world.weak('beginkeeps')) {
      this.now.type = 'barrier';
    } else this.put('barrier');
    writer.holds = true;
  }

  barrierEnd(writer: BarrierWriter): 'stored' | 'ended' {
    const { world, now } = this;
    if (now.type !== 'barrier') {
      if (!world.weak('expiredkeeps')) this.put('absent');
      return 'ended';
    }
    if (!writer.holds) {
      if (!world.weak('strangerpasses')) now.tainted = true;
      return 'ended';
    }
    writer.holds = false;
    if (this.writers.some(({ holds }) => holds)) return 'ended';
    const restores = world.weak('failedrestores') && !writer.gives && writer.version > 0;
    const stores = (writer.gives || restores) && (!now.tainted || world.weak('endtainted'));
    if (stores) this.put('value', restores ? writer.version - 1 : writer.version);
    else this.put('absent');
    return stores ? 'stored' : 'ended';
  }
}
