import { keyOfSecret, SECRET_ACCEPTED } from '../codec/encryption.js';
import type { OptionProblem } from '../common/errors.js';
import { describeValue } from './describe-value.js';
import { isObject } from './given-fields.js';
import type { EncryptionOptions } from './payload.options.js';

const KEYS = 'encryption.keys';
const ID_ACCEPTED = '1 to 64 characters of A-Z a-z 0-9 . _ -, other than the id of any other key';

/** What is wrong with the keys of the option `encryption`, without a secret in it. */
export function checkEncryption({ keys }: EncryptionOptions, problems: OptionProblem[]): void {
  if (keys === undefined && !problems.some(({ path }) => path.startsWith('encryption')))
    problems.push({ path: KEYS, given: 'undefined', accepted: 'an array of { id, secret }' });
  if (!Array.isArray(keys)) return;
  const ids = new Set<unknown>();
  for (const [i, key] of keys.entries()) {
    const path = `${KEYS}[${i}]`;
    const problem = (name: string, given: string, accepted: string): void =>
      void problems.push({ path: path + name, given, accepted });
    if (!isObject(key)) {
      problem('', `a ${typeof key} (hidden)`, '{ id, secret }');
      continue;
    }
    const { id, secret, ...others } = key;
    for (const name of Object.keys(others))
      problem(`.${name}`, 'a value (hidden)', 'nothing: there are id, secret');
    if (typeof id !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(id) || ids.has(id))
      problem('.id', describeValue(id), ID_ACCEPTED);
    ids.add(id);
    if (!keyOfSecret(secret)) problem('.secret', describeValue(secret, 'secret'), SECRET_ACCEPTED);
  }
}
