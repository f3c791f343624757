import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NAMES = ['redis-server', 'valkey-server'];
const OLDEST = '7.0';

/** The server on the PATH, or the one that TEST_REDIS_BINARY names; throws with the reason where there is none. */
export async function findBinary(): Promise<string> {
  const given = process.env.TEST_REDIS_BINARY;
  const reasons: string[] = [];
  for (const name of given ? [given] : NAMES) {
    const problem = await problemOf(name);
    if (!problem) return name;
    reasons.push(problem);
  }
  throw new Error(reasons.join('; '));
}

/** Why that binary cannot serve the suite; undefined where it can. */
export async function problemOf(
  binary: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  try {
    const { stdout } = await run(binary, ['--version'], { env });
    const version = /v=(\d+\.\d+\S*)/.exec(stdout)?.[1];
    if (!version) return `${binary} is no Redis or Valkey server`;
    return parseFloat(version) < parseFloat(OLDEST)
      ? `${binary} is ${version}, older than ${OLDEST}`
      : undefined;
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    // EACCES: also where one folder of the PATH may not be searched.
    return code === 'ENOENT' || code === 'EACCES'
      ? `found no ${binary} that may be run`
      : `${binary} does not run: ${stderr || code}`.trim();
  }
}
