import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Compiled } from '../../support/compiled.js';
import type { HistoryPlan, Report } from './plan.js';

const WORKER = 'test/concurrency/processes/history-worker.ts';
/** What is to be compiled for a crew. */
export const HISTORY_PROGRAMS = [WORKER, 'test/concurrency/processes/timed-cache.ts'];

/** Processes that work on one plan after another, all of them at the same time: to start them takes as long as a plan. */
export class Crew {
  private constructor(private readonly members: readonly ChildProcess[]) {}

  static start(compiled: Compiled, size: number): Crew {
    const program = compiled.path(WORKER);
    return new Crew(Array.from({ length: size }, () => fork(program, { execArgv: [] })));
  }

  /** Each with a cache of its own, which is closed in the end. */
  async run(plan: HistoryPlan): Promise<Report[]> {
    await this.tell(plan);
    const reports = await this.tell('go');
    await this.tell('end');
    return reports as Report[];
  }

  /** A process with something left open would never end. */
  async end(): Promise<void> {
    const alive = this.members.filter((member) => member.connected);
    const exited = alive.map((member) => once(member, 'exit'));
    for (const member of alive) member.disconnect();
    await Promise.all(exited);
  }

  /** What each answers; where one of them does not live to, none is left. */
  private async tell(what: HistoryPlan | 'go' | 'end'): Promise<unknown[]> {
    try {
      return await Promise.all(this.members.map((member) => answer(member, what)));
    } catch (error) {
      for (const member of this.members) member.kill('SIGKILL');
      throw error;
    }
  }
}

function answer(member: ChildProcess, to: HistoryPlan | 'go' | 'end'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null, signal: string | null): void =>
      reject(new Error(`A process of the crew ended before its answer: ${signal ?? code}`));
    member.once('exit', died);
    member.once('message', (message) => {
      member.off('exit', died);
      resolve(message);
    });
    member.send(to, (error) => error && reject(error));
  });
}
