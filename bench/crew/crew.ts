import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { endChild } from '../../test/support/end-child.js';
import type { FromMember } from './member.js';

/** Processes that measure together, each running the same file; see `serve` in member.ts. */
export class Crew<Task, Answer> {
  private constructor(private readonly members: readonly ChildProcess[]) {}

  /** `file` is one of this folder, with `.js`. Resolves when all of them are ready. */
  static async start<Setup, Task, Answer>(
    file: string,
    setups: readonly Setup[],
    { execArgv = [] as string[] } = {},
  ): Promise<Crew<Task, Answer>> {
    const members = setups.map((setup) =>
      fork(join(import.meta.dirname, file), [JSON.stringify(setup)], {
        execArgv,
        serialization: 'advanced',
      }),
    );
    const crew = new Crew<Task, Answer>(members);
    try {
      await Promise.all(members.map((member) => answerOf(member)));
      return crew;
    } catch (error) {
      await crew.end();
      throw error;
    }
  }

  /** Gives all of them a task at the same time, or the first ones only, and their answers in the same order. */
  async ask(task: Task, { first = this.members.length } = {}): Promise<Answer[]> {
    const asked = this.members.slice(0, first);
    const answers = asked.map((member) => answerOf<Answer>(member));
    for (const member of asked) member.send(task as object);
    return Promise.all(answers);
  }

  /** Lets them close what they have opened. */
  async end(): Promise<void> {
    await Promise.all(this.members.map(endChild));
  }
}

/** Rejects where the task has failed, or the process has ended. */
async function answerOf<Answer>(member: ChildProcess): Promise<Answer> {
  const over = new AbortController();
  const { signal } = over;
  try {
    const [said] = (await Promise.race([
      once(member, 'message', { signal }),
      once(member, 'exit', { signal }).then(([code, by]) => {
        throw new Error(`A process of the benchmark has ended: ${by ?? `exit code ${code}`}`);
      }),
    ])) as [FromMember<Answer>];
    if ('failure' in said) throw new Error(said.failure);
    return said.answer;
  } finally {
    over.abort();
  }
}
