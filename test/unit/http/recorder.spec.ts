import { describe, expect, it } from '@jest/globals';
import { of } from 'rxjs';
import { compileCacheable } from '../../../lib/http/compile-route.js';
import { HandlerRun } from '../../../lib/http/handler-run.js';
import { Recorder, type Call } from '../../../lib/http/recorder.js';

describe('Recorder', () => {
  it('load — asked a second time, after the entry may have been evicted → nothing to store', async () => {
    const run = new HandlerRun({ handle: () => of({ a: 1 }) });
    const exchange = {
      request: { headers: {} },
      status: 200,
      headerList: () => undefined,
      header: () => undefined,
      sendsAlike: () => true,
    };
    const cacheable = compileCacheable('the test', {});
    const call = { run, exchange, cacheable, route: { returnsBody: true } } as unknown as Call;
    const recorder = new Recorder(call, { options: { cacheNull: true } } as never);
    const context = { setTtl: () => undefined, setTags: () => undefined };
    expect(await recorder.load(context)).toBeInstanceOf(Buffer);
    expect(await recorder.load(context)).toBeUndefined();
  });
});
