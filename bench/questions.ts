import type { Bench } from './bench.js';
import * as fleet from './questions/fleet.js';
import * as growth from './questions/growth.js';
import * as http from './questions/http.js';
import * as memory from './questions/memory.js';
import * as peers from './questions/peers.js';
import * as reads from './questions/reads.js';
import * as recordSize from './questions/record-size.js';
import * as stampede from './questions/stampede.js';
import * as tags from './questions/tags.js';
import type { Table } from './table.js';

/** One file each in `questions/`; one paragraph each in the README. */
export interface Question {
  /** In a line. */
  readonly asks: string;
  /** Throws where what is measured does not happen, so that no number stands for nothing. */
  answer(bench: Bench): Promise<readonly Table[]>;
}

export const QUESTIONS: ReadonlyMap<string, Question> = new Map<string, Question>([
  ['record-size', recordSize],
  ['tags', tags],
  ['reads', reads],
  ['http', http],
  ['peers', peers],
  ['stampede', stampede],
  ['memory', memory],
  ['growth', growth],
  ['fleet', fleet],
]);
