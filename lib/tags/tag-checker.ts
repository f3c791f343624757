import { atEndOfTick, deferred, type Deferred } from '../common/async.js';

/** What a read of a table gives; `Reading` is shared by everybody who asked. */
export type ReadTable<Place, Reading> = (place: Place, tags: string[]) => Promise<Reading>;

interface Check<Place, Reading> {
  readonly place: Place;
  readonly tags: Set<string>;
  readonly reading: Deferred<Reading>;
}

/** Tags in one command, unless one caller alone asks for more. */
const MAX_TAGS = 1_000;

/**
 * Turns the checks of one tick into one read per table, of all tags that are asked for. None joins a read that has been
 * sent, so what a check sees was read after it was asked for. A tick is that of the `ReadBatcher`, so the read travels
 * with those of the entries.
 */
export class TagChecker<Place extends { readonly id: string }, Reading> {
  /** By the place's id; empty between ticks. */
  private checks = new Map<string, Check<Place, Reading>>();
  private release: (() => void) | undefined;

  constructor(
    private readonly read: ReadTable<Place, Reading>,
    /** Called where several tables are asked in a tick; what it gives, once they have been. */
    private readonly hold: () => () => void = () => () => undefined,
  ) {}

  check(place: Place, tags: readonly string[]): Promise<Reading> {
    let check = this.checks.get(place.id);
    if (!check) {
      if (this.checks.size === 0) atEndOfTick(this.flush);
      else this.release ??= this.hold();
      check = { place, tags: new Set(), reading: deferred() };
      this.checks.set(place.id, check);
    }
    for (const tag of tags) check.tags.add(tag);
    if (check.tags.size >= MAX_TAGS) {
      this.checks.delete(place.id);
      this.send(check);
    }
    return check.reading.promise;
  }

  private readonly flush = (): void => {
    const { checks, release } = this;
    this.checks = new Map();
    this.release = undefined;
    try {
      for (const check of checks.values()) this.send(check);
    } finally {
      release?.();
    }
  };

  private send({ place, tags, reading }: Check<Place, Reading>): void {
    this.read(place, [...tags]).then(reading.resolve, reading.reject);
  }
}
