/** One process of an application: many callers ask for the same key at the same time. */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectCache, RedisCacheModule, type CacheService } from 'nestjs-redis-cache';
import type { Answers, FromProcess, Round, Setup, ToProcess } from './messages.js';

const { redisUrl, namespace, callers } = JSON.parse(process.argv[2]!) as Setup;
const say = (message: FromProcess): void => void process.send!(message);

/** What is slow: it answers in the process that started this one, which counts its loads. */
@Injectable()
class Source {
  private readonly waiting = new Map<number, (value: number) => void>();
  private loads = 0;

  load(): Promise<number> {
    const id = this.loads++;
    say({ type: 'load', id });
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  loaded(id: number, value: number): void {
    this.waiting.get(id)?.(value);
    this.waiting.delete(id);
  }
}

@Injectable()
class Reader {
  constructor(
    private readonly source: Source,
    @InjectCache('memory') private readonly inMemory: CacheService,
    @InjectCache('redis') private readonly inRedis: CacheService,
  ) {}

  read(round: Round): Promise<number> {
    switch (round) {
      case 'none':
        return this.source.load();
      case 'memory':
        return this.inMemory.getOrSet('popular', () => this.source.load());
      case 'redis':
        return this.inRedis.getOrSet('popular', () => this.source.load());
    }
  }
}

@Module({
  imports: [
    RedisCacheModule.forRoot({ name: 'memory', ttl: '1m' }),
    RedisCacheModule.forRoot({
      name: 'redis',
      topology: { type: 'single', url: redisUrl },
      namespace,
      ttl: '1m',
    }),
  ],
  providers: [Source, Reader],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
const source = app.get(Source);
const reader = app.get(Reader);

process.on('message', (message: ToProcess) => {
  if (message.type === 'loaded') source.loaded(message.id, message.value);
  else void run(message.round);
});
// The demo has ended; or it was killed, and then there are callers who wait for its source.
process.once('disconnect', () => void app.close().finally(() => process.exit()));
say({ type: 'ready' });

async function run(round: Round): Promise<void> {
  const answers: Answers = { values: [], waitsMs: [] };
  let served = 0;
  const tell = (): void => {
    if (served > 0) say({ type: 'served', count: served });
    served = 0;
  };
  const call = async (): Promise<void> => {
    const begin = performance.now();
    const value = await reader.read(round);
    answers.waitsMs.push(performance.now() - begin);
    answers.values.push(value);
    served++;
  };
  const telling = setInterval(tell, 50);
  await Promise.all(Array.from({ length: callers }, call));
  clearInterval(telling);
  tell();
  say({ type: 'done', answers });
}
