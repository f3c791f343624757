/** The thread PostgreSQL runs in; `database.ts` is its other end. */
import { parentPort, workerData } from 'node:worker_threads';
import { openDatabase } from './open-database.js';

export interface Statement {
  id: number;
  sql: string;
  parameters: unknown[];
}

export type Request = Statement | 'close';

export type Reply =
  | { progress: { rows: number; total: number } }
  | 'ready'
  | { id: number; rows: unknown[] }
  | { id: number; error: Error };

const port = parentPort!;
const reply = (message: Reply) => port.postMessage(message);

const { directory } = workerData as { directory: string | undefined };
const db = await openDatabase(directory, (progress) => reply({ progress }));

port.on('message', (request: Request) => {
  if (request === 'close') {
    void db.close().finally(() => port.close());
    return;
  }
  const { id, sql, parameters } = request;
  db.query(sql, parameters).then(
    ({ rows }) => reply({ id, rows }),
    (error: Error) => reply({ id, error: new Error(error.message) }),
  );
});
reply('ready');
