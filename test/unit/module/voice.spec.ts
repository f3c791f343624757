import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { decodeMessage, type Message } from '../../../lib/bus/message.js';
import { deferred } from '../../../lib/common/async.js';
import { Voice } from '../../../lib/module/voice.js';
import { Meter } from '../../../lib/observe/meter.js';
import { Reporter } from '../../../lib/observe/reporter.js';
import type { Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const TAGS = { reason: 'evict', path: 'shop', tags: ['t'], version: 7 } as const;
const pending = (): Promise<never> => new Promise(() => undefined);

/** The next turns of the event loop, in which what is due expires. */
async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await turn();
}

/** To two servers, of which the second is only in the list of before. */
function setUp(maxInFlight?: number) {
  const clock = new ManualClock();
  const reported: string[] = [];
  const reporter = new Reporter({
    clock,
    log: { warn: () => undefined },
    onError: ({ operation, error }) => reported.push(`${operation}: ${error.message}`),
  });
  /** What each server does with a message. */
  const answers: (() => Promise<number>)[] = [async () => 0, async () => 0];
  const arrived: Message[][] = [[], []];
  const [present, former] = answers.map((_, i) => {
    const hear = (message: string): Promise<number> => {
      arrived[i]!.push(decodeMessage(Buffer.from(message))!);
      return answers[i]!();
    };
    const client = {
      publish: (_: string, message: string) => hear(message),
      sendCommand: ({ args }: { args: readonly string[] }) => hear(args.at(-1)!),
    };
    return { name: `cache-${i}`, client };
  });
  const kind = 'sharded';
  const redis = { kind, shards: () => [present], formerShards: () => [former] };
  const voice = new Voice('shop:i', {
    ...{ redis: redis as unknown as Topology, clock, instance: 'me', reporter },
    guard: new CallGuard({ readMs: 100, writeMs: 100, clock, maxInFlight }),
    meter: new Meter(clock),
  });
  return { clock, reported, answers, arrived, voice };
}

describe('Voice', () => {
  it('I1 announce → each server is told, those of the list of before as well, and waited for', async () => {
    const { answers, arrived, voice } = setUp();
    const gate = deferred<number>();
    answers[1] = () => gate.promise;
    let told = false;
    const announced = voice.announce(TAGS).then(() => (told = true));
    await turns();
    expect(arrived.map(([message]) => message?.invalidation)).toEqual([TAGS, TAGS]);
    expect(told).toBe(false);
    gate.resolve(0);
    expect(await announced).toBe(true);
  });

  it('I1 R2 announce — a server does not answer → rejects, and has not reported it', async () => {
    const { clock, reported, answers, voice } = setUp();
    answers[1] = pending;
    const announced = voice.announce(TAGS);
    clock.advance(100);
    await expect(announced).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    expect(reported).toEqual([]);
  });

  it('I1 announce — a server refuses → reported, and no failure', async () => {
    const { reported, answers, voice } = setUp();
    const noperm = Object.assign(new Error('NOPERM no rights'), { name: 'ReplyError' });
    answers[0] = () => Promise.reject(noperm);
    await voice.announce(TAGS);
    expect(reported).toEqual(['publish: publish failed at cache-0: NOPERM no rights']);
  });

  it('I4 announce — one is not sent for want of a slot → no number is missing', async () => {
    const { clock, answers, arrived, voice } = setUp(2);
    const gate = deferred<number>();
    answers[0] = () => gate.promise;
    const failed = [0, 1].map(() => expect(voice.announce(TAGS)).rejects.toThrow(/^publish was /));
    clock.advance(100);
    await Promise.all(failed);
    gate.resolve(0);
    await turns();
    await voice.announce(TAGS);
    expect(arrived[0]!.map(({ origin }) => origin.sequence)).toEqual([1, 2]);
  });

  it('I4 R6 the last number is repeated, and that fails → nobody is bothered with it', async () => {
    const { clock, reported, answers, arrived, voice } = setUp();
    await voice.announce(TAGS);
    answers[0] = () => Promise.reject(new Error('Connection is closed.'));
    const unhandled: unknown[] = [];
    const hear = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', hear);
    clock.advance(1_000);
    await turns();
    process.off('unhandledRejection', hear);
    const origin = { instance: 'me', link: 0, sequence: 1 };
    expect(arrived[0]).toEqual([{ origin, invalidation: TAGS }, { origin }]);
    expect([unhandled, reported]).toEqual([[], []]);
  });
});
