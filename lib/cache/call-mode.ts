import { AsyncLocalStorage } from 'node:async_hooks';
import { CacheOptionsError } from '../common/errors.js';

/**
 * How the cache behaves. `bypass`: as if there were none; `refresh`: reads miss, loads run and replace what is stored;
 * `readonly`: reads hit, nothing is stored. Evicts act in all of them.
 */
export type CallMode = 'normal' | 'bypass' | 'refresh' | 'readonly';

const MODES: readonly CallMode[] = ['normal', 'bypass', 'refresh', 'readonly'];

/** Of one cache: another one in the same call is not affected. */
export class CallModes {
  private readonly ofCall = new AsyncLocalStorage<CallMode>();
  /** Most applications never change the mode of a call, and should not pay for looking it up. */
  private used = false;
  private ofCache: CallMode = 'normal';

  get mode(): CallMode {
    return this.used ? (this.ofCall.getStore() ?? this.ofCache) : this.ofCache;
  }

  /** Nothing is stored in this mode. */
  get storesNothing(): boolean {
    const { mode } = this;
    return mode === 'bypass' || mode === 'readonly';
  }

  /** What is there is not used in this mode. */
  get readsNothing(): boolean {
    const { mode } = this;
    return mode === 'bypass' || mode === 'refresh';
  }

  /** For every call outside of `run`, from now on. */
  set(mode: CallMode): void {
    assertMode('setMode', mode);
    this.ofCache = mode;
  }

  /** For everything inside `fn`, whatever the mode around it. */
  run<T>(mode: CallMode, fn: () => T): T {
    assertMode('run', mode);
    this.used = true;
    return this.ofCall.run(mode, fn);
  }

  /** Until Node 24 each storage in use costs every promise of the process a little, for as long as the process lives. */
  close(): void {
    this.ofCall.disable();
  }

  /** As if no `run` were around it. */
  outside<T>(fn: () => T): T {
    return this.used ? this.ofCall.run(this.ofCache, fn) : fn();
  }
}

function assertMode(where: string, mode: unknown): void {
  if (MODES.includes(mode as CallMode)) return;
  const accepted = MODES.map((m) => `'${m}'`).join(', ');
  throw new CacheOptionsError(where, [{ path: 'mode', given: String(mode), accepted }]);
}
