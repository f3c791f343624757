/** The process that serves: it reads prices, and hears when one is outdated. */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Cacheable,
  CacheService,
  InvalidationListener,
  OnInvalidation,
  type InvalidationEvent,
} from 'nestjs-redis-cache';
import { line, PriceTable, sharedCache, table } from './prices.js';

@Injectable()
class Shop {
  constructor(private readonly prices: PriceTable) {}

  @Cacheable({ key: 'price:{0}' })
  priceOf(product: string): Promise<number> {
    return this.prices.read(product);
  }

  /** Not needed for the cache, which forgets by itself: for a page that is open, for instance. */
  @OnInvalidation()
  hear({ keys, local }: InvalidationEvent): void {
    if (!local) void line.ask('heard', keys);
  }
}

@Module({ imports: [sharedCache()], providers: [Shop, table] })
class ShopModule {}

const app = await NestFactory.createApplicationContext(ShopModule, { logger: ['warn', 'error'] });
process.once('disconnect', () => void app.close().finally(() => process.exit()));

const listener = app.get(InvalidationListener);
line
  .on('live', () => listener.live)
  .on('price', (product) => app.get(Shop).priceOf(product))
  .on('copy', (product: string) => app.get(CacheService).peek(`price:${product}`));
await line.ask('ready');
