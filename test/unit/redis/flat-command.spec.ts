import { describe, expect, it } from '@jest/globals';
import { Command } from 'ioredis';
import { FlatCommand } from '../../../lib/redis/flat-command.js';

const EVERY_BYTE = Buffer.from([...Array(256).keys()]);

describe('FlatCommand', () => {
  it.each<[string, (string | Buffer)[]]>([
    ['no arguments', []],
    ['texts alone', ['a', '', '12', 'ключ\0\r\n', '🐈'.repeat(100)]],
    ['a lone half of a character', ['\ud83d', 'x\udc00']],
    ['bytes among texts', ['ä', EVERY_BYTE, 'ö', Buffer.alloc(0), EVERY_BYTE, EVERY_BYTE, '$1']],
    ['bytes first and last', [EVERY_BYTE, 'text', Buffer.from('end')]],
  ])('%s → what the client itself would write', (_, args) => {
    const own = new Command('evalsha', [...args]).toWritable({});
    const flat = new FlatCommand('evalsha', args).toWritable({});
    expect(Buffer.from(flat as string)).toEqual(Buffer.from(own as string));
  });

  it('the client is of ioredis 6 and its `Command` of 5 → has what the client asks for, of its own', () => {
    expect(Object.hasOwn(FlatCommand.prototype, 'setReplyContext')).toBe(true);
    expect(Object.hasOwn(FlatCommand.prototype, 'toWritable')).toBe(true);
  });

  it('its arguments → as they were given, for whoever looks at the command', () => {
    const args = ['1', 'key', EVERY_BYTE];
    expect(new FlatCommand('evalsha', args)).toMatchObject({ name: 'evalsha', args });
  });
});
