import type { Message } from './message.js';

/** Connections remembered; one that is forgotten and speaks again looks like a gap, which costs the copies and no more. */
const MOST_LINKS = 10_000;

/** Finds out whether messages are missing, connection by connection. */
export class Sequences {
  private readonly last = new Map<string, number>();

  /** False: one or more of this connection's messages have not come. One that has come before is no harm. */
  follow(message: Message): boolean {
    const { instance, link, sequence } = message.origin;
    const name = `${instance}/${link}`;
    const last = this.last.get(name) ?? 0;
    if (sequence <= last) return true;
    // Put last again, so that those who have been silent longest are forgotten first.
    this.last.delete(name);
    this.last.set(name, sequence);
    if (this.last.size > MOST_LINKS) this.last.delete(this.last.keys().next().value!);
    // A message without an invalidation repeats the number of the one before it.
    return message.invalidation !== undefined && sequence === last + 1;
  }
}
