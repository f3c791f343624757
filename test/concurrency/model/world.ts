import type { Weakening } from './weakenings.js';

/** What is wrong, in which kind: tests ask for the kind, people read the text. */
export interface Violation {
  kind: 'stale read' | 'own evict not seen' | 'stale entry at rest' | 'stale copy at rest';
  text: string;
}

/** One atomic step that somebody may take now. */
export interface Rule {
  readonly label: string;
  /** It need not ever happen: callers that come, faults. Where only such steps are left the system is at rest. */
  readonly optional: boolean;
  readonly when: () => boolean;
  /** What it returns stands behind the label in a trace. */
  readonly run: () => string | void;
}

/** An exchange of actors that changes nothing but their names: `to[i]` is the new index of the i-th of each group. */
export type Symmetry = Readonly<Record<string, readonly number[]>>;

/**
 * A field of a record: a flag, a number below 2^n as n bits, one of some words, or a reference to the i-th of a group
 * (-1: to none).
 */
type Field = 'flag' | number | readonly string[] | { readonly ref: string };
type Fields = Readonly<Record<string, Field>>;
type ValueOf<F> = F extends readonly (infer Word)[] ? Word : F extends 'flag' ? boolean : number;
export type RecordOf<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> };

const REF_BITS = 4;
const REF_MASK = (1 << REF_BITS) - 1;

/**
 * A model's state and rules. The whole state is `words`, one 32-bit word per record, so that the explorer copies,
 * compares and stores it without knowing what is in it; rules see records with named fields, which are views of it.
 */
export class World {
  readonly rules: Rule[] = [];
  private readonly symmetries: Symmetry[] = [];
  violation: Violation | undefined;
  private readonly buffer = new Int32Array(64);
  private readonly groups = new Map<string, number[][]>();
  private readonly refs: { at: number; shift: number; group: string }[] = [];
  private readonly restChecks: (() => Violation | undefined)[] = [];
  private readonly starts: (() => void)[] = [];
  private used = 0;

  /** `weakenings`: the rules that are left out, to see that the model notices. */
  constructor(private readonly weakenings: ReadonlySet<Weakening>) {}

  weak(weakening: Weakening): boolean {
    return this.weakenings.has(weakening);
  }

  /** The state that rules read and change. */
  get words(): Int32Array {
    return this.buffer.subarray(0, this.used);
  }

  record<const F extends Fields>(fields: F): RecordOf<F> {
    return this.view(fields)(this.take(fields));
  }

  /** Records of the same group belong to the same actors, index by index. */
  records<const F extends Fields>(group: string, count: number, fields: F): RecordOf<F>[] {
    const view = this.view(fields);
    const places = Array.from({ length: count }, () => this.take(fields));
    this.groups.set(group, [...(this.groups.get(group) ?? []), places]);
    return places.map(view);
  }

  /** Every field is 0, its first word, or no reference again: what an actor has forgotten makes no new state. */
  clear(record: object): void {
    this.buffer[(record as { at: number }).at] = 0;
  }

  /** `at('x')`: a condition, that the actor is in phase x. Most conditions are no more, and this is their fastest form. */
  phases<Phase extends string>(actor: { phase: Phase }): (phase: Phase) => () => boolean {
    const words = this.buffer;
    const { at, layout } = actor as unknown as Viewed;
    const { field, shift } = layout.phase!;
    const mask = maskOf(field);
    return (phase) => {
      const code = (field as readonly string[]).indexOf(phase);
      return () => ((words[at]! >>> shift) & mask) === code;
    };
  }

  rule(label: string, when: () => boolean, run: () => string | void): void {
    this.rules.push({ label, optional: false, when, run });
  }

  /** A rule that need not happen. */
  perhaps(label: string, when: () => boolean, run: () => string | void): void {
    this.rules.push({ label, optional: true, when, run });
  }

  /** Actors that can be exchanged; of no group that another symmetry is of, so that they can be combined. */
  alike(symmetry: Symmetry): void {
    this.symmetries.push(symmetry, ...this.symmetries.map((other) => ({ ...other, ...symmetry })));
  }

  /** One of the states to start from, as a change of the one in which every field is 0 or its first word. */
  start(set: () => void): void {
    this.starts.push(set);
  }

  atRest(check: () => Violation | undefined): void {
    this.restChecks.push(check);
  }

  checkRest(): Violation | undefined {
    for (const check of this.restChecks) {
      const violation = check();
      if (violation) return violation;
    }
    return undefined;
  }

  /** Puts each initial state into `words` in turn. */
  *initialStates(): Generator<void> {
    for (const set of this.starts.length > 0 ? this.starts : [() => undefined]) {
      this.buffer.fill(0);
      set();
      yield;
    }
  }

  /** The symmetries as functions on states. */
  renamings(): ((from: Int32Array, to: Int32Array) => void)[] {
    return this.symmetries.map((symmetry) => {
      const source = Int32Array.from({ length: this.used }, (_, i) => i);
      for (const [group, to] of Object.entries(symmetry))
        for (const places of this.groups.get(group) ?? [])
          to.forEach((target, i) => (source[places[target]!] = places[i]!));
      const refs = this.refs
        .filter(({ group }) => symmetry[group])
        .map(({ at, shift, group }) => {
          const renamed = [0, ...symmetry[group]!.map((i) => i + 1)];
          return { at, shift, renamed };
        });
      return (from, to) => {
        for (let i = 0; i < to.length; i++) to[i] = from[source[i]!]!;
        for (const { at, shift, renamed } of refs) {
          const ref = (to[at]! >>> shift) & REF_MASK;
          to[at] = (to[at]! & ~(REF_MASK << shift)) | ((renamed[ref] ?? ref) << shift);
        }
      };
    });
  }

  private take(fields: Fields): number {
    const at = this.used++;
    if (at >= this.buffer.length) throw new Error('too many records');
    let shift = 0;
    for (const field of Object.values(fields)) {
      if (typeof field === 'object' && 'ref' in field)
        this.refs.push({ at, shift, group: field.ref });
      shift += bitsOf(field);
    }
    if (shift > 31) throw new Error('a record has 31 bits');
    return at;
  }

  private view<F extends Fields>(fields: F): (at: number) => RecordOf<F> {
    const layout: Layout = {};
    class View implements Viewed {
      declare readonly layout: Layout;
      constructor(readonly at: number) {}
    }
    Object.defineProperty(View.prototype, 'layout', { value: layout });
    let shift = 0;
    for (const [name, field] of Object.entries(fields)) {
      layout[name] = { field, shift };
      Object.defineProperty(View.prototype, name, accessor(this.buffer, field, shift));
      shift += bitsOf(field);
    }
    return (at) => new View(at) as unknown as RecordOf<F>;
  }
}

/** Where in its word each field of a record is. */
type Layout = Record<string, { field: Field; shift: number }>;

interface Viewed {
  readonly at: number;
  readonly layout: Layout;
}

function bitsOf(field: Field): number {
  if (typeof field === 'number') return field;
  if (field === 'flag') return 1;
  return 'ref' in field ? REF_BITS : Math.ceil(Math.log2(field.length));
}

const maskOf = (field: Field): number => (1 << bitsOf(field)) - 1;

function accessor(words: Int32Array, field: Field, shift: number): PropertyDescriptor {
  const mask = maskOf(field);
  const read = ({ at }: Viewed): number => (words[at]! >>> shift) & mask;
  const write = ({ at }: Viewed, value: number): void => {
    if ((value & mask) !== value) throw new RangeError(`${value} does not fit its field`);
    words[at] = (words[at]! & ~(mask << shift)) | (value << shift);
  };
  const property = <V>(decode: (code: number) => V, encode: (value: V) => number) => ({
    get(this: Viewed): V {
      return decode(read(this));
    },
    set(this: Viewed, value: V): void {
      write(this, encode(value));
    },
  });
  if (typeof field === 'number')
    return property<number>(
      (code) => code,
      (value) => value,
    );
  if (field === 'flag')
    return property<boolean>(
      (code) => code === 1,
      (value) => (value ? 1 : 0),
    );
  if ('ref' in field)
    return property<number>(
      (code) => code - 1,
      (index) => index + 1,
    );
  return property<string>(
    (code) => field[code]!,
    (word) => field.indexOf(word),
  );
}
