/** The process that changes prices, and says so within itself by a domain event. */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { CacheEvict } from 'nestjs-redis-cache';
import { line, PriceTable, sharedCache, table, type PriceChanged } from './prices.js';

@Injectable()
class Office {
  constructor(
    private readonly prices: PriceTable,
    private readonly events: EventEmitter2,
  ) {}

  /** Resolves when all who listen are done: from then on no process reads the old price from Redis. */
  async change(change: PriceChanged): Promise<void> {
    await this.prices.write(change);
    await this.events.emitAsync('price.changed', change);
  }
}

/** Knows of events and of keys, so that nobody else has to know of both. */
@Injectable()
class OutdatedPrices {
  @OnEvent('price.changed')
  @CacheEvict({ key: 'price:{0.product}' })
  async forget(_change: PriceChanged): Promise<void> {}
}

@Module({
  imports: [sharedCache(), EventEmitterModule.forRoot()],
  providers: [Office, OutdatedPrices, table],
})
class OfficeModule {}

const app = await NestFactory.createApplicationContext(OfficeModule, { logger: ['warn', 'error'] });
process.once('disconnect', () => void app.close().finally(() => process.exit()));

line.on('change', (change) => app.get(Office).change(change));
await line.ask('ready');
