import { describe, expect, it } from '@jest/globals';
import { deferred } from '../../../lib/common/async.js';
import { Flights, type FlightOutcome } from '../../../lib/cache/flights.js';

const FOUND: FlightOutcome = { kind: 'private' };

describe('Flights', () => {
  it('while it runs → counted, and joined; afterwards neither', async () => {
    const flights = new Flights();
    const over = deferred<FlightOutcome>();
    const flight = flights.lead('k', () => over.promise);
    expect([flights.size, flights.joinable('k')]).toEqual([1, flight]);
    over.resolve(FOUND);
    expect(await flight.outcome).toBe(FOUND);
    expect([flights.size, flights.joinable('k')]).toEqual([0, undefined]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws before it has begun',
      () => {
        throw new Error('no');
      },
    ],
  ])('what it runs %s → a failure, which nobody joins and which is not counted', async (_, run) => {
    const flights = new Flights();
    const flight = flights.lead('k', run);
    expect(await flight.outcome).toEqual({ kind: 'failed', error: new Error('no') });
    expect([flights.size, flights.joinable('k')]).toEqual([0, undefined]);
    await flights.settled();
  });

  it('the next one for its key has begun → its end leaves that alone', async () => {
    const flights = new Flights();
    const over = deferred<FlightOutcome>();
    const first = flights.lead('k', () => over.promise);
    flights.seal(first);
    const second = flights.lead('k', () => new Promise(() => undefined));
    over.resolve(FOUND);
    await first.outcome;
    expect(flights.joinable('k')).toBe(second);
    expect(flights.size).toBe(1);
  });
});
