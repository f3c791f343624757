import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Command,
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventsHandler,
  Query,
  QueryBus,
  QueryHandler,
  type ICommandHandler,
  type IEventHandler,
  type IQueryHandler,
} from '@nestjs/cqrs';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { InvalidationListener } from '../../../lib/bus/invalidation-listener.js';
import { waitFor } from '../../support/wait-for.js';
import { PLACES, start } from './app.js';

const names = new Map<string, string>();
let runs = 0;

class Renamed {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {}
}
class Rename extends Command<void> {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {
    super();
  }
}
class FindName extends Query<string> {
  constructor(readonly id: string) {
    super();
  }
}

@Injectable()
class Names {
  @Cacheable({ key: 'name:{0}' })
  async find(id: string) {
    runs++;
    return names.get(id);
  }
}

@Injectable()
class OnRenamed {
  @OnEvent('renamed')
  @CacheEvict({ key: 'name:{0.id}' })
  above(_event: Renamed) {}

  @CacheEvict({ key: 'title:{0.id}' })
  @OnEvent('renamed')
  below(_event: Renamed): void {}
}

@EventsHandler(Renamed)
class RenamedHandler implements IEventHandler<Renamed> {
  @CacheEvict({ key: 'name:{0.id}' })
  handle(_event: Renamed): void {}
}

@CommandHandler(Rename)
class RenameHandler implements ICommandHandler<Rename> {
  @CacheEvict({ key: 'name:{0.id}' })
  async execute({ id, name }: Rename) {
    names.set(id, name);
  }
}

@QueryHandler(FindName)
class FindNameHandler implements IQueryHandler<FindName> {
  @Cacheable({ key: 'name:{0.id}' })
  async execute({ id }: FindName) {
    runs++;
    return names.get(id)!;
  }
}

beforeEach(() => {
  runs = 0;
  names.clear();
  names.set('1', 'Tom');
});

describe.each(PLACES)('decorators on handlers of events, %s', (topology) => {
  const imports = [EventEmitterModule.forRoot(), CqrsModule.forRoot()];
  const providers = [Names, OnRenamed, RenamedHandler, RenameHandler, FindNameHandler];
  const open = async (namespace?: string) => {
    const { module, cache } = await start(
      topology,
      { imports, providers },
      namespace ? { namespace } : {},
    );
    const of = <T>(type: new (...args: any[]) => T): T => module.get(type, { strict: false });
    return { cache, of };
  };

  it('K3 @OnEvent above and below @CacheEvict → the event evicts', async () => {
    const { cache, of } = await open();
    await of(Names).find('1');
    await cache.set('title:1', 'Dr.');
    names.set('1', 'Kit');
    await of(EventEmitter2).emitAsync('renamed', new Renamed('1', 'Kit'));
    expect(await cache.has('title:1')).toBe(false);
    expect(await of(Names).find('1')).toBe('Kit');
  });

  it('K3 CQRS: a command evicts, a query is cached, an event evicts', async () => {
    const { cache, of } = await open();
    const query = () => of(QueryBus).execute(new FindName('1'));
    for (const _ of [1, 2]) expect(await query()).toBe('Tom');
    expect(runs).toBe(1);
    await of(CommandBus).execute(new Rename('1', 'Kit'));
    expect(await query()).toBe('Kit');
    await of(EventBus).publish(new Renamed('1', 'Kit'));
    await waitFor(async () => !(await cache.has('name:1')));
  });
});

describe('an event in one application', () => {
  it('K3 → the entry is gone in the others, and their listeners hear of it', async () => {
    const imports = [EventEmitterModule.forRoot()];
    const providers = [Names, OnRenamed];
    const namespace = `t${randomBytes(6).toString('hex')}`;
    const [here, there] = [
      await start('single', { imports, providers }, { namespace }),
      await start('single', { imports, providers }, { namespace }),
    ];
    const listener = there.module.get(InvalidationListener);
    await waitFor(() => listener.live);
    const heard: unknown[] = [];
    listener.on(({ keys, local, reason }) => heard.push({ keys, local, reason }));
    const elsewhere = there.module.get(Names);
    for (const _ of [1, 2]) expect(await elsewhere.find('1')).toBe('Tom');
    expect(there.cache.peek('name:1')).toBe('Tom');
    names.set('1', 'Kit');
    await here.module.get(EventEmitter2).emitAsync('renamed', new Renamed('1', 'Kit'));
    await waitFor(() =>
      heard.some(
        (event) =>
          JSON.stringify(event).includes('name:1') && JSON.stringify(event).includes('evict'),
      ),
    );
    // Two methods evict upon it, in one tick.
    expect(heard).toContainEqual({ keys: ['name:1', 'title:1'], local: false, reason: 'evict' });
    expect(there.cache.peek('name:1')).toBeUndefined();
    expect(await elsewhere.find('1')).toBe('Kit');
  });
});
