import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Compiled } from '../../support/compiled.js';
import type { Report, StampedePlan } from './plan.js';

const WORKER = 'test/concurrency/processes/stampede-worker.ts';
/** What is to be compiled for it. */
export const STAMPEDE_PROGRAMS = [WORKER, 'test/concurrency/processes/timed-cache.ts'];

/** One process of a test, from start to SIGKILL or to its own end. */
export class Worker<R extends object = Report> {
  private readonly report: Promise<R>;
  private readonly said = new Set<unknown>();
  private readonly hears: (() => void)[] = [];

  private constructor(private readonly child: ChildProcess) {
    this.report = new Promise((resolve, reject) => {
      child.on('message', (message) => {
        if (typeof message === 'object') resolve(message as R);
        else this.said.add(message);
        this.hears.splice(0).forEach((hear) => hear());
      });
      child.once('exit', (code, signal) => {
        reject(new Error(`The worker ended before its report: ${signal ?? code}`));
        this.hears.splice(0).forEach((hear) => hear());
      });
    });
    this.report.catch(() => undefined);
  }

  static start(compiled: Compiled, plan: StampedePlan): Promise<Worker> {
    return Worker.startProgram(compiled, WORKER, plan);
  }

  /** A program that says `ready`, works at `go`, gives its report as the first object, and closes at `end`. */
  static async startProgram<R extends object>(
    compiled: Compiled,
    program: string,
    plan: object,
  ): Promise<Worker<R>> {
    const worker = new Worker<R>(
      fork(compiled.path(program), [JSON.stringify(plan)], { execArgv: [] }),
    );
    await worker.hasSaid('ready');
    return worker;
  }

  /** One for each plan; where one of them does not start, none is left. */
  static async startAll<R extends object>(
    compiled: Compiled,
    program: string,
    plans: readonly object[],
  ): Promise<Worker<R>[]> {
    const started = await Promise.allSettled(
      plans.map((plan) => Worker.startProgram<R>(compiled, program, plan)),
    );
    const failed = started.find((result) => result.status === 'rejected');
    const workers = started.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
    if (!failed) return workers;
    for (const worker of workers) worker.kill();
    throw failed.reason;
  }

  /** Resolves once the worker has said so. */
  async hasSaid(what: string): Promise<void> {
    while (!this.said.has(what)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`The worker ended without "${what}"`);
      await new Promise<void>((resolve) => this.hears.push(resolve));
    }
  }

  go(): Promise<R> {
    this.say('go');
    return this.report;
  }

  say(what: string): void {
    this.child.send(what);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Lets it close its cache; a process with something left open would never end. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.say('end');
    await exited;
  }
}

/** Runs one worker per plan at the same time; gives their reports in order. */
export async function runTogether(
  compiled: Compiled,
  plans: readonly StampedePlan[],
): Promise<Report[]> {
  const workers = await Promise.all(plans.map((plan) => Worker.start(compiled, plan)));
  try {
    return await Promise.all(workers.map((worker) => worker.go()));
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
}
