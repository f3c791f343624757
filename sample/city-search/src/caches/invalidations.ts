import { Injectable, type MessageEvent, type OnModuleDestroy } from '@nestjs/common';
import { OnInvalidation, type InvalidationEvent } from 'nestjs-redis-cache';
import { Subject, type Observable } from 'rxjs';
import { STATISTICS } from './statistics.js';

/**
 * What was evicted or replaced, by whomever. The caches forget by themselves; this is for copies that they do not know of,
 * such as a page that is open in a browser.
 */
@Injectable()
export class Invalidations implements OnModuleDestroy {
  private readonly events = new Subject<MessageEvent>();
  readonly stream: Observable<MessageEvent> = this.events;

  @OnInvalidation()
  @OnInvalidation({ cache: STATISTICS })
  tell(event: InvalidationEvent): void {
    this.events.next({ data: event });
  }

  /** The server closes once nobody listens any more. */
  onModuleDestroy(): void {
    this.events.complete();
  }
}
