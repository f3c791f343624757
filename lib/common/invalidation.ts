/** Why copies of an entry are not to be used any more. `disconnect`: messages may have been lost. */
export type InvalidationReason = 'evict' | 'set' | 'clear' | 'disconnect';

/** Something that copies of entries, in whatever process, must not outlive. Never with values in it. */
export type Invalidation =
  | { readonly reason: InvalidationReason; readonly keys: readonly string[] }
  /** Entries of a namespace with one of these tags that were loaded before `version`. */
  | {
      readonly reason: InvalidationReason;
      readonly path: string;
      readonly tags: readonly string[];
      readonly version: number;
    }
  /** All entries of a namespace that were loaded before `version`. */
  | { readonly reason: InvalidationReason; readonly path: string; readonly version: number };

/** A message that is to be published by the command that changes the entry, in the same atomic step. */
export interface Announcement {
  readonly channel: string;
  readonly message: string;
}

/**
 * Makes the messages that other processes hear. Numbered per connection, in the order in which they are written to it; so
 * it must be asked in the step that sends the command.
 */
export interface Announcer {
  announce(connection: object, invalidation: Invalidation): Announcement;
  /** The command has failed, and may yet be carried out: its message is then news to this process as well. */
  disown(announcement: Announcement): void;
}

/** Nobody listens. */
export const SILENCE: Announcement = { channel: '', message: '' };
