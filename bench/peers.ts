import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Packages of bench/package.json: installed by those who want to measure them, and by nobody else. */

const LOADER = pathToFileURL(join(process.cwd(), 'bench', 'load-peer.mjs')).href;

export const HOW_TO_INSTALL = 'npm install --prefix bench';

/** Undefined: it is not installed. Their types would have to be installed too, so there are none. */
export async function peer(name: string): Promise<any> {
  const { load } = (await import(LOADER)) as { load(name: string): Promise<unknown> };
  try {
    return await load(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** For what nothing can be measured without. */
export async function neededPeer(name: string): Promise<any> {
  const found = await peer(name);
  if (found) return found;
  throw new Error(`The package '${name}' is not installed. Install it with: ${HOW_TO_INSTALL}`);
}
