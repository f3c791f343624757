import type { Acquisition } from './redis-entry.js';

/** What the hooks see of the readers, and of the flights that they lead or that run in the background. */
export interface Callers {
  readonly processOf: readonly number[];
  readonly readers: readonly unknown[];
  readonly loads: { readonly flights: readonly (Acquisition & { readonly phase: string })[] };
  nameOf(i: number): string;
}

/** Where an in-process tier, or a tag table, takes part in reads. As it stands here it does not. */
export class ReadHooks {
  protected callers!: Callers;

  attach(callers: Callers): void {
    this.callers = callers;
  }

  /** Sets up a state to start from; what an entry of version 0 in it is like. */
  start(): number {
    return 0;
  }

  /** The reader has what it wants, and no command is sent. */
  servedLocally(_reader: number): boolean {
    return false;
  }

  getSent(_reader: number): void {}

  /** What travels beside GET has come back too. */
  getComplete(_reader: number): boolean {
    return true;
  }

  /** This reader may take such a copy, which a command sent by itself has found. */
  usable(_reader: number, _copy: number): boolean {
    return true;
  }

  /** Likewise for what was stored by a flight that it joined late. */
  joinable(_reader: number, _copy: number): boolean {
    return true;
  }

  /** A copy from GET is handed out. */
  getUsed(_reader: number, _copy: number): void {}

  getMissed(_reader: number): void {}

  acquireSent(_flight: number): void {}

  acquireComplete(_flight: number): boolean {
    return true;
  }

  /** What a load makes of the version that it reads. */
  stamp(_flight: number, version: number): number {
    return version;
  }

  loadComplete(_flight: number): boolean {
    return true;
  }

  fillSent(_flight: number): void {}

  /** A copy that a flight has found or stored is handed out. */
  flightUsed(_flight: number, _copy: number): void {}

  flightEnded(_flight: number): void {}

  /** At rest, whether a copy in Redis would be handed out. */
  isLive(_copy: number): boolean {
    return true;
  }

  left(_reader: number): void {}

  /** A writer of this process is about to send EVICT. */
  evicting(_process: number): void {}

  evicted(_process: number): void {}

  evictReturned(_process: number, _version: number): void {}
}
