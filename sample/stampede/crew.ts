import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { endChild } from '../../test/support/end-child.js';
import type { Arguments } from './arguments.js';
import type { Answers, FromProcess, Round, Setup, ToProcess } from './messages.js';

/** What a round has brought so far. */
export interface Tally {
  loads: number;
  served: number;
}

/** The processes that ask, and the source that all of them load from. */
export class Crew {
  private readonly members: ChildProcess[];
  private tally: Tally = { loads: 0, served: 0 };
  /** Rejects when one of them ends before it is told to. */
  private readonly lost: Promise<never>;

  constructor({ processes, callers, loadMs }: Arguments, setup: Omit<Setup, 'callers'>) {
    const plan = JSON.stringify({ ...setup, callers } satisfies Setup);
    this.members = Array.from({ length: processes }, () =>
      fork(join(import.meta.dirname, 'worker.js'), [plan]),
    );
    this.lost = new Promise((_, reject) => {
      for (const member of this.members)
        member.once('exit', (code, signal) =>
          reject(new Error(`A process of the demo has ended: ${signal ?? `exit code ${code}`}`)),
        );
    });
    // At the end nobody waits for them any more.
    this.lost.catch(() => undefined);
    for (const member of this.members)
      member.on('message', (message: FromProcess) => {
        if (message.type === 'served') this.tally.served += message.count;
        if (message.type === 'load') this.load(member, message.id, loadMs);
      });
  }

  /** Resolves when all of them have opened their caches. */
  async ready(): Promise<void> {
    await this.each('ready');
  }

  /** All callers of all processes at once; `tally` is kept up to date meanwhile. */
  async run(round: Round, tally: Tally): Promise<Answers> {
    this.tally = tally;
    const done = this.each('done');
    for (const member of this.members) tell(member, { type: 'run', round });
    const answers = (await done).map((message) => message.answers);
    return {
      values: answers.flatMap(({ values }) => values),
      waitsMs: answers.flatMap(({ waitsMs }) => waitsMs),
    };
  }

  /** Lets them close their caches and end. */
  async end(): Promise<void> {
    await Promise.all(this.members.map(endChild));
  }

  /** Every load takes its time and gives a value of its own. A real source would also slow down. */
  private load(member: ChildProcess, id: number, loadMs: number): void {
    const value = ++this.tally.loads;
    setTimeout(() => tell(member, { type: 'loaded', id, value }), loadMs);
  }

  private each<T extends FromProcess['type']>(
    type: T,
  ): Promise<Extract<FromProcess, { type: T }>[]> {
    const said = this.members.map(
      (member) =>
        new Promise<Extract<FromProcess, { type: T }>>((resolve) => {
          const listen = (message: FromProcess): void => {
            if (message.type !== type) return;
            member.off('message', listen);
            resolve(message as Extract<FromProcess, { type: T }>);
          };
          member.on('message', listen);
        }),
    );
    return Promise.race([Promise.all(said), this.lost]);
  }
}

function tell(member: ChildProcess, message: ToProcess): void {
  if (member.connected) member.send(message);
}
