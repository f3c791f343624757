import type { ChildProcess } from 'node:child_process';

type Message = { ask: string; id: number; given: unknown } | { answer: unknown; id: number };

/** Questions between this process and the one at the other end, and their answers. */
export class Line {
  private readonly waiting = new Map<number, (answer: unknown) => void>();
  private readonly answers = new Map<string, (given: any) => unknown>();
  private asked = 0;

  constructor(private readonly end: ChildProcess | NodeJS.Process) {
    end.on('message', (message: Message) => void this.take(message));
  }

  ask<T>(question: string, given?: unknown): Promise<T> {
    const id = this.asked++;
    this.end.send!({ ask: question, id, given } satisfies Message);
    return new Promise<T>((resolve) => this.waiting.set(id, resolve as (answer: unknown) => void));
  }

  /** What is answered to that question. */
  on(question: string, answer: (given: any) => unknown): this {
    this.answers.set(question, answer);
    return this;
  }

  private async take(message: Message): Promise<void> {
    if ('ask' in message) {
      const answer = await this.answers.get(message.ask)!(message.given);
      this.end.send!({ answer: answer ?? null, id: message.id } satisfies Message);
      return;
    }
    this.waiting.get(message.id)?.(message.answer);
    this.waiting.delete(message.id);
  }
}

/** To the process that has started this one. */
export const toMain = (): Line => new Line(process);
