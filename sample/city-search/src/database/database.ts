import { Worker } from 'node:worker_threads';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { ReportProgress } from './cities.loader.js';
import type { Reply, Request } from './database.worker.js';
import { lockDirectory } from './lock-directory.js';

interface Call {
  resolve(rows: unknown[]): void;
  reject(error: Error): void;
}

/**
 * PostgreSQL in a thread of its own (PGlite, compiled to WebAssembly). A statement keeps its thread busy until it is
 * done; here it is not the one that answers requests. Statements run one after the other. All instances of the application
 * in this process share one, since PGlite runs inside a single process.
 */
@Injectable()
export class Database implements OnApplicationShutdown {
  private static shared: Promise<Database> | undefined;

  /** Statements that have no answer yet: one or none for each request being handled. */
  private readonly calls = new Map<number, Call>();
  private readonly exited: Promise<void>;
  private lastId = 0;
  private rows = 0;
  private users = 0;
  /** Why there is no thread any more. */
  private ended: Error | undefined;

  private constructor(
    private readonly worker: Worker,
    private readonly unlock: () => void,
  ) {
    this.exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (reply: Reply) => this.settle(reply));
    worker.on('error', (error: Error) => this.fail(error));
    worker.on('exit', () => this.fail(new Error('The database is closed.')));
  }

  static async share(directory: string | undefined, report: ReportProgress): Promise<Database> {
    this.shared ??= this.open(directory, report);
    const database = await this.shared;
    database.users++;
    return database;
  }

  private static async open(
    directory: string | undefined,
    report: ReportProgress,
  ): Promise<Database> {
    const unlock = directory === undefined ? () => {} : await lockDirectory(directory);
    const worker = new Worker(new URL('./database.worker.js', import.meta.url), {
      workerData: { directory },
    });
    try {
      await opened(worker, report);
    } catch (error) {
      unlock();
      throw error;
    }
    return new Database(worker, unlock);
  }

  /** What it has been asked, and has given, since it was opened. */
  get counts() {
    return { statements: this.lastId, rows: this.rows };
  }

  async query<Row>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    if (this.ended) throw this.ended;
    const id = ++this.lastId;
    const rows = await new Promise<unknown[]>((resolve, reject) => {
      this.calls.set(id, { resolve, reject });
      this.post({ id, sql, parameters });
    });
    this.rows += rows.length;
    return rows as Row[];
  }

  async onApplicationShutdown(): Promise<void> {
    if (--this.users > 0) return;
    this.post('close');
    await this.exited;
    this.unlock();
  }

  private post(request: Request): void {
    this.worker.postMessage(request);
  }

  private settle(reply: Reply): void {
    if (reply === 'ready' || 'progress' in reply) return;
    const call = this.calls.get(reply.id);
    this.calls.delete(reply.id);
    if ('rows' in reply) call?.resolve(reply.rows);
    else call?.reject(reply.error);
  }

  private fail(error: Error): void {
    this.ended ??= error;
    for (const { reject } of this.calls.values()) reject(error);
    this.calls.clear();
  }
}

function opened(worker: Worker, report: ReportProgress): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', function opening(reply: Reply) {
      if (reply === 'ready') {
        worker.off('message', opening).off('error', reject);
        resolve();
      } else if ('progress' in reply) report(reply.progress);
    });
  });
}
