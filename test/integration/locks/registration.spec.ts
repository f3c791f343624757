import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getLockToken, LockProvider, RedisCacheModule } from '../../../lib/index.js';

@Injectable()
class Reports {
  constructor(
    readonly locks: LockProvider,
    @Inject(getLockToken()) readonly same: LockProvider,
    @Inject(getLockToken('reports')) readonly named: LockProvider,
  ) {}
}
@Module({ providers: [Reports] })
class ReportsModule {}

describe('K1 LockProvider in Nest', () => {
  it('an unnamed and a named cache → each has its own locks, closed with the application', async () => {
    const imports = [
      RedisCacheModule.forRoot({ namespace: 'one' }),
      RedisCacheModule.forRoot({ name: 'reports', namespace: 'two' }),
      ReportsModule,
    ];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    const { locks, same, named } = app.get(Reports);
    expect(locks).toBeInstanceOf(LockProvider);
    expect(named).toBeInstanceOf(LockProvider);
    expect(same).toBe(locks);
    expect(named).not.toBe(locks);
    const lock = await locks.acquire('x');
    expect(await named.tryAcquire('x')).toBeDefined();
    await app.close();
    expect(lock.signal.aborted).toBe(true);
    await expect(named.acquire('y')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });

  it('the class is replaced in a test → by its token as well', async () => {
    const fake = { tryAcquire: async () => undefined };
    const app = await Test.createTestingModule({ imports: [RedisCacheModule.forRoot()] })
      .overrideProvider(LockProvider)
      .useValue(fake)
      .compile();
    expect(app.get(getLockToken())).toBe(fake);
    await app.close();
  });
});
