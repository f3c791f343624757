import type { Announcement, Announcer, Invalidation } from '../common/invalidation.js';
import type { Clock, TimerHandle } from '../common/clock.js';
import type { Meter } from '../observe/meter.js';
import { encodeMessage } from './message.js';

export interface PublisherOptions {
  channel: string;
  instance: string;
  clock: Clock;
  /** Publishes a message by itself, over that connection or any other to the same servers; must not throw. */
  publish: (connection: object, announcement: Announcement) => void;
  meter?: Meter;
}

/** The loss of a message is noticed after at most twice this, also if no other comes after it. */
const TAIL_AFTER_MS = 1_000;
/** Failed commands remembered; while there are more, every message of ours is taken for news. */
const MOST_DISOWNED = 10_000;
/** Many were published before their commands failed, and have been heard by then; the others arrive far sooner, or never. */
const DISOWNED_FOR_MS = 60_000;

interface Link {
  readonly number: number;
  sequence: number;
  tail: TimerHandle;
}

/** Numbers the messages of this process, per connection, and says once a second up to where they went, until that is all. */
export class Publisher implements Announcer {
  private readonly links = new WeakMap<object, Link>();
  /** With the monotonic ms of when it was said; the oldest first. */
  private readonly disowned = new Map<string, number>();
  private numbers = 0;
  private closed = false;

  constructor(private readonly options: PublisherOptions) {}

  get channel(): string {
    return this.options.channel;
  }

  announce(connection: object, invalidation: Invalidation): Announcement {
    const link = this.linkOf(connection);
    this.options.meter?.count('invalidationsPublished');
    link.sequence++;
    this.scheduleTail(connection, link);
    return this.compose(link, invalidation);
  }

  disown(announcement: Announcement): void {
    this.forgetOld();
    if (this.disowned.size < MOST_DISOWNED)
      this.disowned.set(announcement.message, this.options.clock.monotonic());
  }

  /** Whether this process has not taken notice yet of a message that it has sent itself. */
  isNews(message: string): boolean {
    if (this.disowned.size === 0) return false;
    this.forgetOld();
    return this.disowned.delete(message) || this.disowned.size >= MOST_DISOWNED;
  }

  private forgetOld(): void {
    const since = this.options.clock.monotonic() - DISOWNED_FOR_MS;
    for (const [message, at] of this.disowned) {
      if (at > since) break;
      this.disowned.delete(message);
    }
  }

  close(): void {
    this.closed = true;
  }

  private linkOf(connection: object): Link {
    let link = this.links.get(connection);
    if (!link)
      this.links.set(connection, (link = { number: this.numbers++, sequence: 0, tail: undefined }));
    return link;
  }

  private compose(
    { number, sequence }: Omit<Link, 'tail'>,
    invalidation?: Invalidation,
  ): Announcement {
    const { channel, instance } = this.options;
    const origin = { instance, link: number, sequence };
    return { channel, message: encodeMessage({ origin, invalidation }) };
  }

  /**
   * One timer at most per connection; it runs on for as long as there is something new to say. What it repeats is a second
   * old, and so has arrived by then, or never will.
   */
  private scheduleTail(connection: object, link: Link): void {
    if (link.tail !== undefined) return;
    const { clock, publish } = this.options;
    const { number, sequence } = link;
    link.tail = clock.setTimer(TAIL_AFTER_MS, () => {
      link.tail = undefined;
      if (this.closed) return;
      publish(connection, this.compose({ number, sequence }));
      if (link.sequence !== sequence) this.scheduleTail(connection, link);
    });
  }
}
