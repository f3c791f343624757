import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, SetMetadata } from '@nestjs/common';
import type { CacheService } from '../../../lib/cache/cache.service.js';
import { LockTimeoutError } from '../../../lib/common/errors.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { CachePut } from '../../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { Locked } from '../../../lib/decorators/locked.decorator.js';
import { NoCache } from '../../../lib/decorators/no-cache.decorator.js';
import { LockProvider } from '../../../lib/locks/lock.provider.js';
import { getCacheToken } from '../../../lib/common/tokens.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { Gate } from '../../support/gate.js';
import { start } from './app.js';

let runs = 0;
beforeEach(() => {
  runs = 0;
});

abstract class Repository {
  abstract readonly table: string;

  @Cacheable()
  async find(id: string): Promise<string> {
    return `${this.table} ${id} ${++runs}`;
  }

  @Cacheable({ key: 'shared:{0}' })
  async shared(id: string): Promise<string> {
    return `${this.table} ${id} ${++runs}`;
  }

  @CacheEvict({ key: 'shared:{0}' })
  async forget(_id: string): Promise<void> {}
}

@Injectable()
class Users extends Repository {
  readonly table: string = 'users';
}

@Injectable()
class Cats extends Repository {
  readonly table: string = 'cats';
}

/** Overrides what it inherits, in every way there is. */
@Injectable()
class Dogs extends Cats {
  override readonly table = 'dogs';

  @Cacheable()
  override async find(id: string) {
    return `${await super.find(id)} (${++runs})`;
  }

  @Cacheable({ key: 'shared:{0}' })
  override async shared(id: string) {
    return `${await super.shared(id)} (${++runs})`;
  }

  // Not decorated: what it does by itself is not cached, what it calls is.
  override async forget(id: string) {
    runs++;
    await super.forget(id);
  }
}

@Injectable()
class Uncached extends Cats {
  @NoCache()
  override find(id: string) {
    return super.find(id);
  }
}

@NoCache()
@Injectable()
class AllUncached extends Cats {}

@Injectable()
class Fresh {
  @NoCache()
  @Cacheable()
  async find(id: string): Promise<string> {
    return `${id} ${++runs}`;
  }
}

@Injectable()
class StillFresh extends Fresh {
  override find(id: string) {
    return super.find(id);
  }
}

@Injectable()
class Recursive {
  @Cacheable({ key: 'sum:{0}' })
  async sum(n: number): Promise<number> {
    runs++;
    return n === 0 ? 0 : n + (await this.sum(n - 1));
  }

  @Cacheable({ key: 'self' })
  async self(): Promise<unknown> {
    return this.self();
  }

  @SetMetadata('kept', true)
  @Cacheable({ key: 'mutual' })
  async mutual(): Promise<number> {
    return (await this.other()) + 1;
  }

  @Cacheable({ key: 'other' })
  async other(): Promise<number> {
    return ++runs;
  }

  @Cacheable({ key: 'twice' })
  async twice(): Promise<unknown> {
    runs++;
    return this.again();
  }

  @Cacheable({ key: 'twice' })
  async again(): Promise<unknown> {
    return ++runs;
  }
}

@Injectable()
class CallsIt extends Recursive {
  override async twice() {
    return super.twice();
  }
}

@Injectable()
class Import {
  @Locked({ wait: 50 })
  async run(): Promise<string> {
    return `import ${++runs}`;
  }

  @Locked({ key: ['import', 'file:{0}'], onBusy: 'skip' })
  async runOnce(_file: string): Promise<string> {
    return `import ${++runs}`;
  }

  @Locked({ wait: 50 })
  async runAgain(): Promise<unknown> {
    return this.runAgain();
  }

  @Locked({ key: ['import', 'source'], wait: 50 })
  async runWithSource(): Promise<string> {
    return `import ${++runs}`;
  }

  @Locked({ key: 'import', wait: 50 })
  async leaveBehind(_rest: Promise<unknown>, _of: Import): Promise<unknown> {
    return `import ${++runs}`;
  }

  @Locked({ key: ['late', 'source'], wait: 50 })
  async runLate(_rest: Promise<unknown>): Promise<string> {
    return `import ${++runs}`;
  }

  @Locked({ key: 'late', wait: 50 })
  async runOther(): Promise<string> {
    return `import ${++runs}`;
  }

  @CachePut({ key: 'import:{0}' })
  async store(id: string): Promise<string> {
    return `${id} ${++runs}`;
  }

  @CachePut({ key: 'result:{result}' })
  async storeResult(id: string): Promise<string> {
    return id;
  }

  @CachePut({ key: 'import:{0}', cache: 'other' })
  async storeTwice(id: string): Promise<string> {
    return id;
  }
}

@Injectable()
class NightlyImport extends Import {
  @Locked({ wait: 50 })
  override async run() {
    return `nightly ${await super.run()}`;
  }

  @Locked({ key: ['import', 'file:{0}'], onBusy: 'skip' })
  override async runOnce(file: string) {
    return `nightly ${await super.runOnce(file)}`;
  }

  @Locked({ key: 'import', wait: 50 })
  override async runWithSource() {
    return `nightly ${await super.runWithSource()}`;
  }

  @Locked({ key: 'import', wait: 50 })
  override async leaveBehind(rest: Promise<unknown>, of: Import) {
    const left = rest.then(() => super.leaveBehind(rest, of));
    left.catch(() => undefined);
    return { left, ofOther: await of.leaveBehind(rest, of).catch((error: unknown) => error) };
  }

  @Locked({ key: 'late', wait: 50 })
  override async runLate(rest: Promise<unknown>) {
    await rest;
    return `nightly ${await super.runLate(rest)}`;
  }

  @Locked({ key: 'late', wait: 50 })
  async runBoth() {
    return this.runOther();
  }

  /** Does not hold the lock of that one. */
  async runBase() {
    return super.run();
  }

  @CachePut({ key: 'import:{0}', tags: 'nightly' })
  override async store(id: string) {
    return `nightly ${await super.store(id)}`;
  }

  @CachePut({ key: 'result:{0}' })
  override async storeResult(id: string) {
    return super.storeResult(id);
  }

  @CachePut({ key: 'import:{0}' })
  override async storeTwice(id: string) {
    return `nightly ${await super.storeTwice(id)}`;
  }
}

@Injectable()
class WeeklyImport extends NightlyImport {
  @Locked({ key: 'source', wait: 50 })
  override async runLate(rest: Promise<unknown>) {
    return `weekly ${await super.runLate(rest)}`;
  }
}

describe('decorated methods of classes that inherit', () => {
  const open = async () => {
    const providers = [Users, Cats, Dogs, Uncached, AllUncached, StillFresh, Recursive, CallsIt, Import, NightlyImport, WeeklyImport]; // prettier-ignore
    const imports = [RedisCacheModule.forRoot({ name: 'other', namespace: 'shared' })];
    const options = { namespace: 'shared' };
    const { module, cache } = await start('memory', { providers, imports }, options);
    return {
      cache,
      other: module.get<CacheService>(getCacheToken('other')),
      locks: module.get(LockProvider),
      of: <T>(type: new () => T): T => module.get(type),
    };
  };

  it('D1 one inherited method of two classes → entries of their own', async () => {
    const { of } = await open();
    for (const _ of [1, 2]) {
      expect(await of(Users).find('1')).toBe('users 1 1');
      expect(await of(Cats).find('1')).toBe('cats 1 2');
    }
  });

  it('D1 a method that overrides and calls super, both without a key → two entries', async () => {
    const { of } = await open();
    for (const _ of [1, 2]) expect(await of(Dogs).find('1')).toBe('dogs 1 1 (2)');
  });

  it('D1 the same with one key → a part of the same load', async () => {
    const { of, cache } = await open();
    for (const _ of [1, 2]) expect(await of(Dogs).shared('1')).toBe('dogs 1 1 (2)');
    expect(await cache.get('shared:1')).toBe('dogs 1 1 (2)');
    await of(Dogs).forget('1');
    expect(await cache.has('shared:1')).toBe(false);
  });

  it('D1 D12 the same with one lock → the inner one is a part of that, others wait', async () => {
    const { of } = await open();
    const nightly = of(NightlyImport);
    expect(await nightly.run()).toBe('nightly import 1');
    expect(await nightly.runOnce('a')).toBe('nightly import 2');
    expect(await nightly.runBase()).toBe('import 3');
    await expect(nightly.runAgain()).rejects.toThrow(LockTimeoutError);
    expect(await Promise.all([nightly.runOnce('a'), nightly.runOnce('a')])).toEqual(['nightly import 4', undefined]); // prettier-ignore
  });

  it('D1 D12 the inner one has one lock more → it takes that, and not the one that it has', async () => {
    const { of, locks } = await open();
    expect(await of(NightlyImport).runWithSource()).toBe('nightly import 1');
    await locks.withLock('source', async () => {
      await expect(of(NightlyImport).runWithSource()).rejects.toThrow(LockTimeoutError);
    });
  });

  it('D1 D12 another instance, or what is left behind when the outer one is over → is no part of it', async () => {
    const { of, locks } = await open();
    const gate = new Gate();
    const outer = of(NightlyImport).leaveBehind(gate.pass(), of(Import));
    const { left, ofOther } = (await outer) as Awaited<ReturnType<NightlyImport['leaveBehind']>>;
    expect(ofOther).toBeInstanceOf(LockTimeoutError);
    await locks.withLock('import', async () => {
      gate.open();
      await expect(left).rejects.toThrow(LockTimeoutError);
    });
  });

  it('D1 D12 others end meanwhile → the inner one is still a part of the outer one', async () => {
    const { of } = await open();
    const gate = new Gate();
    const late = of(NightlyImport).runLate(gate.pass());
    await gate.arrived();
    expect(await of(NightlyImport).run()).toBe('nightly import 1');
    gate.open();
    expect(await late).toBe('nightly import 2');
  });

  it('D1 D12 others go on, and the outer one is over → what it has left behind is no part of it', async () => {
    const { of, locks } = await open();
    const [gate, others] = [new Gate(), new Gate()];
    const late = of(NightlyImport).runLate(others.pass());
    await others.arrived();
    const outer = await of(NightlyImport).leaveBehind(gate.pass(), of(Import));
    const { left } = outer as Awaited<ReturnType<NightlyImport['leaveBehind']>>;
    await locks.withLock('import', async () => {
      gate.open();
      await expect(left).rejects.toThrow(LockTimeoutError);
    });
    others.open();
    await late;
  });

  it('D1 D12 three classes, a lock of each of the outer two → the innermost has both', async () => {
    const { of } = await open();
    expect(await of(WeeklyImport).runLate(Promise.resolve())).toBe('weekly nightly import 1');
  });

  it('D1 D12 another method with the lock → waits, and in vain', async () => {
    const { of } = await open();
    await expect(of(NightlyImport).runBoth()).rejects.toThrow(LockTimeoutError);
  });

  it('D1 D2 one key of two caches → stored in each', async () => {
    const { of, cache, other } = await open();
    await of(NightlyImport).storeTwice('c');
    expect(await cache.get('import:c')).toBe('nightly c');
    expect(await other.get('import:c')).toBe('c');
  });

  it('D1 D2 the same with @CachePut → stored once, by the outer one', async () => {
    const { of, cache } = await open();
    const nightly = of(NightlyImport);
    expect(await nightly.store('a')).toBe('nightly a 1');
    expect(await cache.get('import:a')).toBe('nightly a 1');
    await nightly.storeResult('b');
    expect(await cache.get('result:b')).toBe('b');
    expect(cache.stats().sets).toBe(2);
  });

  it('D1 L13 called by super, it fails within by a nested load → that error, and it has run once', async () => {
    const { of } = await open();
    const call = of(CallsIt).twice();
    await expect(call).rejects.toMatchObject({ code: 'ERR_CACHE_NESTED_LOAD' });
    expect(runs).toBe(1);
  });

  it('D2 @NoCache on a method that overrides, or on the class → the method runs each time', async () => {
    const { of } = await open();
    for (const type of [Uncached, AllUncached, StillFresh])
      expect(await of(type).find('1')).not.toBe(await of(type).find('1'));
  });

  it('K2 self-invocation → each call is cached; of its own key → ERR_CACHE_NESTED_LOAD', async () => {
    const { of } = await open();
    expect(await of(Recursive).sum(3)).toBe(6);
    expect(await of(Recursive).sum(4)).toBe(10);
    expect(runs).toBe(5);
    expect(await of(Recursive).mutual()).toBe(7);
    await expect(of(Recursive).self()).rejects.toMatchObject({ code: 'ERR_CACHE_NESTED_LOAD' });
  });
});
