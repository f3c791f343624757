import { stdout } from 'node:process';
import type { ReportProgress } from './cities.loader.js';

const number = new Intl.NumberFormat('en');

/** How far the first start is, in one line of the terminal; where there is none, a line at every quarter. */
export function loadingProgress(): ReportProgress {
  let quarter = -1;
  const begun = performance.now();
  return ({ rows, total }) => {
    const share = rows / total;
    const line =
      `Loading the cities into PostgreSQL, once: ${String(Math.floor(share * 100)).padStart(3)} %, ` +
      `${number.format(rows)} of ${number.format(total)} rows`;
    const end = rows === total ? `, ${((performance.now() - begun) / 1000).toFixed(1)} s\n` : '';
    if (stdout.isTTY) stdout.write(`\r${line}${end}`);
    else if (Math.floor(share * 4) > quarter) stdout.write(`${line}${end || '\n'}`);
    quarter = Math.floor(share * 4);
  };
}
