import type { TagVersions } from './tag-table.js';

/** Versions of tags remembered of one table; beyond, all are forgotten. */
const MOST_TAGS = 10_000;

/** A look at a head that is under way. */
export interface HeadLook {
  readonly reading: Promise<Buffer | null>;
  /** The versions as of then, of the tags that are known; undefined: there is no head. */
  readonly versions: Promise<TagVersions | undefined>;
  /** What its clock says, or else the table's, once somebody has asked. */
  clock?: Promise<number>;
}

/**
 * What this process knows of one copy of a table. Every bump changes the head, so for as long as the head is the same,
 * versions that were read under it are still the last ones.
 */
export class KnownTable {
  /** There was no head when somebody looked last. */
  headIsMissing = false;
  private bytes: Buffer | undefined;
  private seen: (TagVersions & { readonly tags: Map<string, number> }) | undefined;
  private look: HeadLook | undefined;

  /** One for all who look in the same tick, and so wait for the same bytes. */
  lookBy(reading: Promise<Buffer | null>): HeadLook {
    let { look } = this;
    if (look?.reading === reading) return look;
    const versions = reading.then((bytes) => {
      // Nobody waits for these any more, and they hold on to a whole chunk of replies.
      if (this.look === look) this.look = undefined;
      return this.under(bytes);
    });
    return (this.look = look = { reading, versions });
  }

  /** Versions that were read from the table itself. */
  learn({ clock, floor, tags }: TagVersions): void {
    const { seen } = this;
    if (seen?.clock !== clock || seen.floor !== floor) return;
    if (seen.tags.size + tags.size > MOST_TAGS) seen.tags.clear();
    for (const [tag, version] of tags) seen.tags.set(tag, version);
  }

  private under(bytes: Buffer | null): TagVersions | undefined {
    if (!bytes || !this.bytes?.equals(bytes)) this.note(bytes);
    return this.seen;
  }

  private note(bytes: Buffer | null): void {
    const head = bytes && parseHead(bytes);
    // A copy: it came with a whole chunk of replies.
    this.bytes = head ? Buffer.from(bytes) : undefined;
    this.headIsMissing = !head;
    this.seen = head ? { ...head, tags: new Map() } : undefined;
  }
}

/** `clock floor` in decimals. */
function parseHead(bytes: Buffer): { clock: number; floor: number } | undefined {
  const [, clock, floor] = /^(\d{1,16}) (\d{1,16})$/.exec(bytes.toString('latin1')) ?? [];
  return clock && floor ? { clock: Number(clock), floor: Number(floor) } : undefined;
}
