/**
 * The protocol, searched to its end: every order in which the commands of a few readers and writers can be sent,
 * executed and answered, messages delivered or lost, leases and barriers expire, writers crash. `flights.ts`,
 * `readers.ts` and `redis-entry.ts` are the protocol once more, in the words of `lib/cache` and `lib/store/lua`; what
 * changes there changes here.
 *
 * Promised is the newest version whose evict, set or barrier has returned; inside a barrier it is promised from the
 * commit on. No read that begins later may return an older one, and where nobody has anything left to do neither
 * Redis nor a process may hold one. A copy in another process than the writer's may be older until then, and no longer.
 *
 * Each rule of the protocol is then left out by itself (`weakenings.ts`), and has to be missed.
 *
 *   one scenario        npm test -- test/concurrency/model -t 'barrier: reader, 2 writers'
 *   one weakening       npm test -- test/concurrency/model -t strangerpasses
 *   and its trace       MODEL_TRACE=1 npm test -- test/concurrency/model -t strangerpasses
 *   the wide scenarios  MODEL_WIDE=1 npm test -- test/concurrency/model -t wide
 */
import { afterAll, describe, expect, it } from '@jest/globals';
import { explore, type Exploration } from './explorer.js';
import { MUST_FAIL, SCENARIOS, WIDE_SCENARIOS, type Scenario } from './scenarios.js';
import { WEAKENINGS, type Weakening } from './weakenings.js';

const TIMEOUT_MS = 60_000;
const WIDE_TIMEOUT_MS = 600_000;
const SOUND = 'nothing older than what was promised';

const report: string[] = [];
afterAll(() => void process.stdout.write(`\n${report.join('\n')}\n`));

describe('model of the protocol', () => {
  it.each(Object.entries(SCENARIOS))(
    'explore — %s → nothing older than what was promised',
    (name, build) => expectSound(name, explore(build([]))),
    TIMEOUT_MS,
  );

  it.each(Object.entries(MUST_FAIL))(
    'explore — without a rule: %s → found out',
    (weakening, [scenario, kind, shown]) => {
      const found = explore(SCENARIOS[scenario as Scenario]([weakening as Weakening]));
      noted(`${weakening}: ${WEAKENINGS[weakening as Weakening]}`, found);
      expect(found.violation?.kind).toBe(kind);
      expect(told(found)).toContain(shown);
    },
    TIMEOUT_MS,
  );

  it('explore — identical actors told apart → the same verdict, by a trace of the same length', () => {
    const build = SCENARIOS['tag: 2 readers in A, writer, a lost table'];
    const [merged, apart] = (['alike', 'same'] as const).map((merge) =>
      explore(build(['joinunchecked']), { merge }),
    );
    expect(apart!.violation?.trace).toHaveLength(merged!.violation!.trace.length);
    expect(apart!.states).toBeGreaterThan(merged!.states);
  });
});

(process.env.MODEL_WIDE ? describe : describe.skip)('wide model of the protocol', () => {
  it.each(Object.entries(WIDE_SCENARIOS))(
    'explore — %s → nothing older than what was promised',
    (name, build) => expectSound(name, explore(build([]), { maxStates: 30_000_000 })),
    WIDE_TIMEOUT_MS,
  );
});

function expectSound(name: string, exploration: Exploration): void {
  noted(name, exploration);
  expect(told(exploration)).toBe(SOUND);
}

function noted(name: string, exploration: Exploration): void {
  const { states, ms, violation } = exploration;
  const result = violation ? `${violation.kind}, ${violation.trace.length} steps` : 'sound';
  report.push(`${String(states).padStart(9)} states ${Math.round(ms)} ms  ${name} → ${result}`);
  if (process.env.MODEL_TRACE) report.push(told(exploration));
}

function told({ violation }: Exploration): string {
  if (!violation) return SOUND;
  const steps = violation.trace.map((step, i) => `${String(i + 1).padStart(4)}  ${step}`);
  return [`${violation.kind}: ${violation.text}`, ...steps].join('\n');
}
