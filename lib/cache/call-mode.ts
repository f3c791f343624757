import { AsyncLocalStorage } from 'node:async_hooks';
import { CacheOptionsError } from '../common/errors.js';

/**
 * How the cache behaves for everything inside a call of `run`. `bypass`: as if there were none; `refresh`: reads miss, loads
 * run and replace what is stored; `readonly`: reads hit, nothing is stored. Evicts act in all of them.
 */
export type CallMode = 'normal' | 'bypass' | 'refresh' | 'readonly';

const MODES: readonly CallMode[] = ['normal', 'bypass', 'refresh', 'readonly'];

/** Of one cache: another one in the same call is not affected. */
export class CallModes {
  private readonly current = new AsyncLocalStorage<CallMode>();
  /** Most applications never change the mode, and should not pay for looking it up. */
  private used = false;

  get mode(): CallMode {
    return this.used ? (this.current.getStore() ?? 'normal') : 'normal';
  }

  /** Nothing is stored in this mode. */
  get storesNothing(): boolean {
    const { mode } = this;
    return mode === 'bypass' || mode === 'readonly';
  }

  run<T>(mode: CallMode, fn: () => T): T {
    if (!MODES.includes(mode))
      throw new CacheOptionsError('run', [
        { path: 'mode', given: String(mode), accepted: MODES.map((m) => `'${m}'`).join(', ') },
      ]);
    this.used = true;
    return this.current.run(mode, fn);
  }
}
