import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CacheKeyError, CacheOptionsError, LockTimeoutError } from '../../../lib/common/errors.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { Locked } from '../../../lib/decorators/locked.decorator.js';
import { getLockToken } from '../../../lib/common/tokens.js';
import { LockProvider } from '../../../lib/locks/lock.provider.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { CacheTesting, RedisCacheTestingModule } from '../../../lib/testing/index.js';
import { Gate } from '../../support/gate.js';
import { PLACES, start, startWithout } from './app.js';

let inside = 0;
let most = 0;
let runs = 0;
let gate: Gate | undefined;

async function work(): Promise<number> {
  most = Math.max(most, ++inside);
  await gate?.pass();
  inside--;
  return ++runs;
}

@Injectable()
class Jobs {
  private readonly name = 'jobs';

  @Locked({ key: 'import:{0.id}', ttl: '5s' })
  async import(_file: { id?: string }) {
    return work();
  }

  @Locked()
  async plain() {
    await work();
    return this.name;
  }

  @Locked({ key: 'report', onBusy: 'skip' })
  async skip() {
    return work();
  }

  @Locked({ key: 'report', onBusy: 'skip', wait: 20 })
  async skipLater() {
    return work();
  }

  @Locked({ key: 'report', wait: 20 })
  async impatient() {
    return work();
  }

  @Locked({ key: (from: string, to: string) => [from, to], signal: (_from: string, _to: string, signal?: AbortSignal) => signal }) // prettier-ignore
  async transfer(_from: string, _to: string, _signal?: AbortSignal) {
    return work();
  }

  @Locked({ key: 'fails' })
  async fails() {
    throw new Error('not today');
  }

  @Cacheable({ key: 'cached' })
  @Locked({ key: 'import:1' })
  async cached() {
    return work();
  }
}

abstract class Import {
  @Locked({ onBusy: 'skip' })
  async run() {
    return work();
  }
}

@Injectable()
class NightlyImport extends Import {}

@Injectable()
class WeeklyImport extends Import {}

@Injectable()
class Elsewhere {
  private readonly source = new AbortController();

  @Locked({ cache: 'other', key: 'a' })
  async other() {
    return work();
  }

  @Locked({ cache: 'none', key: 'a' })
  async none() {
    return work();
  }

  @Locked({ key: 'b', onBusy: 'skip', wait: '1m', signal: function (this: Elsewhere) { return this.source.signal; } }) // prettier-ignore
  async stoppable() {
    return work();
  }

  stop(reason: Error) {
    this.source.abort(reason);
  }
}

beforeEach(() => {
  inside = most = runs = 0;
  gate = undefined;
});

describe.each(PLACES)('@Locked, %s', (topology) => {
  const open = async (namespace?: string) => {
    const app = await start(topology, { providers: [Jobs] }, namespace ? { namespace } : {});
    return { ...app, jobs: app.module.get(Jobs), locks: app.module.get(LockProvider) };
  };

  it('D12 many calls → one at a time; another key → beside it', async () => {
    const { jobs, locks } = await open();
    gate = new Gate();
    const calls = Array.from({ length: 5 }, () => jobs.import({ id: '1' }));
    calls.push(jobs.import({ id: '2' }));
    await gate.arrived(2);
    expect(await locks.isLocked('import:1')).toBe(true);
    gate.open();
    expect((await Promise.all(calls)).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(most).toBe(2);
    expect(await locks.isLocked('import:1')).toBe(false);
  });

  it('D12 no key → class and method; `this` is the instance', async () => {
    const { jobs, locks } = await open();
    gate = new Gate();
    const call = jobs.plain();
    await gate.arrived();
    expect(await locks.isLocked('Jobs.plain')).toBe(true);
    gate.open();
    expect(await call).toBe('jobs');
  });

  it("D12 busy → LockTimeoutError after wait; onBusy: 'skip' → undefined, the method does not run", async () => {
    const { jobs, locks } = await open();
    await locks.withLock('report', async () => {
      await expect(jobs.impatient()).rejects.toThrow(LockTimeoutError);
      expect(await jobs.skip()).toBeUndefined();
      expect(await jobs.skipLater()).toBeUndefined();
    });
    expect(runs).toBe(0);
    expect(await jobs.skip()).toBe(1);
    expect(await jobs.skipLater()).toBe(2);
  });

  it('D12 several names, and a signal of the call → all held; its reason', async () => {
    const { jobs, locks } = await open();
    gate = new Gate();
    const call = jobs.transfer('b', 'a');
    await gate.arrived();
    for (const name of ['a', 'b']) expect(await locks.isLocked(name)).toBe(true);
    const abort = new AbortController();
    const second = jobs.transfer('a', 'c', abort.signal);
    abort.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    gate.open();
    await call;
  });

  it('D12 the method throws, a value of the key is missing → its error; CacheKeyError; nothing stays locked', async () => {
    const { jobs, locks } = await open();
    await expect(jobs.fails()).rejects.toThrow('not today');
    expect(await locks.isLocked('fails')).toBe(false);
    await expect(jobs.import({})).rejects.toThrow(CacheKeyError);
    expect(runs).toBe(0);
  });

  it('D10 below @Cacheable → a hit takes no lock', async () => {
    const { jobs, locks } = await open();
    expect(await jobs.cached()).toBe(1);
    await locks.withLock('import:1', async () => expect(await jobs.cached()).toBe(1));
  });
});

describe('@Locked in two modules of one Redis', () => {
  it('D12 → one at a time', async () => {
    const options = { namespace: `locked${process.pid}` };
    const apps = [];
    for (const _ of [1, 2]) apps.push(await start('single', { providers: [Jobs] }, options));
    gate = new Gate();
    const calls = apps.map(({ module }) => module.get(Jobs).import({ id: '1' }));
    await gate.arrived();
    gate.open();
    await Promise.all(calls);
    expect([most, runs]).toEqual([1, 2]);
  });

  it('D12 an instance without a lock provider → CacheOptionsError, the method does not run', async () => {
    const { module } = await startWithout({ providers: [Jobs] });
    for (const jobs of [new Jobs(), module.get(Jobs)])
      await expect(jobs.plain()).rejects.toThrow(CacheOptionsError);
    expect(runs).toBe(0);
  });

  it('D9 D12 an instance that Nest has not built, or an application without a cache → the error says which', async () => {
    const { module } = await startWithout({ providers: [Jobs] });
    await expect(module.get(Jobs).plain()).rejects.toThrow(/registered: RedisCacheModule\.forRoot/);
    await start('memory', { providers: [Jobs] });
    await expect(new Jobs().plain()).rejects.toThrow(
      / Jobs\.plain:\n {2}this: .* not built by Nest/,
    );
  });
});

describe('@Locked without a key, inherited', () => {
  it('D1 D12 by two classes → each has a lock of its own', async () => {
    const { module } = await start('memory', { providers: [NightlyImport, WeeklyImport] });
    gate = new Gate();
    const [nightly, weekly] = [module.get(NightlyImport), module.get(WeeklyImport)];
    const calls = [nightly.run(), weekly.run()];
    await gate.arrived(2);
    const locks = module.get(LockProvider);
    for (const name of ['NightlyImport.run', 'WeeklyImport.run'])
      expect(await locks.isLocked(name)).toBe(true);
    expect(await nightly.run()).toBeUndefined();
    gate.open();
    expect(await Promise.all(calls)).toEqual([1, 2]);
  });
});

describe('@Locked of another cache, or stopped', () => {
  const open = async () => {
    const imports = [RedisCacheModule.forRoot({ name: 'other' })];
    const { module } = await start('memory', { providers: [Elsewhere], imports });
    return { jobs: module.get(Elsewhere), locks: module.get(LockProvider), module };
  };

  it('D12 cache → the lock of that one; none of that name → CacheOptionsError', async () => {
    const { jobs, locks, module } = await open();
    gate = new Gate();
    const call = jobs.other();
    await gate.arrived();
    expect(await locks.isLocked('a')).toBe(false);
    expect(await module.get<LockProvider>(getLockToken('other')).isLocked('a')).toBe(true);
    gate.open();
    expect(await call).toBe(1);
    await expect(jobs.none()).rejects.toThrow(/cache: given 'none'/);
    expect(runs).toBe(1);
  });

  it('D12 a signal that the instance has, others hold the lock → its reason, and no skip', async () => {
    const { jobs, locks } = await open();
    await locks.withLock('b', async () => {
      const call = jobs.stoppable();
      jobs.stop(new Error('enough'));
      await expect(call).rejects.toThrow('enough');
    });
    expect(runs).toBe(0);
  });
});

describe('@Locked while Redis cannot be reached', () => {
  it("D12 onBusy: 'skip' → rejects, since nobody knows whether it is busy", async () => {
    const module = await Test.createTestingModule({
      imports: [RedisCacheTestingModule.register()],
      providers: [Jobs],
    }).compile();
    module.get(CacheTesting).faults.drop('locks');
    for (const method of ['skip', 'skipLater'] as const)
      await expect(module.get(Jobs)[method]()).rejects.toMatchObject({ code: 'ERR_CACHE_CONNECTION' }); // prettier-ignore
    expect(runs).toBe(0);
    await module.close();
  });
});
