import { RedisCacheModule } from 'nestjs-redis-cache';
import { toMain, type Line } from './line.js';

/** What `main.ts` tells the processes it starts. */
export interface Setup {
  redisUrl: string;
  namespace: string;
}

/** The domain event: the price is in the database by now. */
export interface PriceChanged {
  product: string;
  price: number;
}

/** The database: it is in the process that has started this one. */
export class PriceTable {
  constructor(private readonly line: Line) {}

  read(product: string): Promise<number> {
    return this.line.ask('select', product);
  }

  write(change: PriceChanged): Promise<void> {
    return this.line.ask('update', change);
  }
}

export const line = toMain();

export const table = { provide: PriceTable, useFactory: () => new PriceTable(line) };

/** The same cache in both processes. */
export function sharedCache() {
  const { redisUrl, namespace } = JSON.parse(process.argv[2]!) as Setup;
  const topology = { type: 'single', url: redisUrl } as const;
  return RedisCacheModule.forRoot({ topology, namespace, ttl: '1h' });
}
