import { describe, expect, it } from '@jest/globals';
import { decodeMessage } from '../../../lib/bus/message.js';
import { Publisher } from '../../../lib/bus/publisher.js';
import { Sequences } from '../../../lib/bus/sequence.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const CHANGE = { reason: 'evict', keys: ['shop:ka'] } as const;

function create() {
  const clock = new ManualClock();
  const published: { connection: object; message: string }[] = [];
  const publisher = new Publisher({
    channel: 'shop:i',
    instance: 'me',
    clock,
    publish: (connection, { message }) => published.push({ connection, message }),
  });
  const sequenceOf = (message: string): number =>
    decodeMessage(Buffer.from(message))!.origin.sequence;
  const tails = (): number[] => published.map(({ message }) => sequenceOf(message));
  return { clock, publisher, published, tails };
}

describe('Publisher', () => {
  it('a connection falls silent → the last number once, a second later, and no timer is left', () => {
    const { clock, publisher, published, tails } = create();
    const connection = {};
    publisher.announce(connection, CHANGE);
    clock.advance(999);
    expect(published).toEqual([]);
    clock.advance(5_000);
    expect(tails()).toEqual([1]);
    expect(published[0]!.connection).toBe(connection);
    expect(clock.pendingTimers).toBe(0);
  });

  it('messages without a pause → each second the number of a second before', () => {
    const { clock, publisher, tails } = create();
    const connection = {};
    for (let i = 0; i < 30; i++) {
      publisher.announce(connection, CHANGE);
      clock.advance(100);
    }
    expect(tails()).toEqual([1, 10, 20]);
    clock.advance(5_000);
    expect(tails()).toEqual([1, 10, 20, 30]);
  });

  it('messages that do not arrive, though others are sent all the time → noticed within two seconds', () => {
    const { clock, publisher, published } = create();
    const sequences = new Sequences();
    const follow = (message: string): boolean =>
      sequences.follow(decodeMessage(Buffer.from(message))!);
    const [lost, heard] = [{}, {}];
    const arrived = [publisher.announce(lost, CHANGE), publisher.announce(heard, CHANGE)];
    expect(arrived.map(({ message }) => follow(message))).toEqual([true, true]);
    // From here on nothing of the one connection arrives, but what repeats its number comes another way.
    const seen: boolean[] = [];
    for (let i = 0; i < 20; i++) {
      publisher.announce(lost, CHANGE);
      seen.push(follow(publisher.announce(heard, CHANGE).message));
      clock.advance(100);
      seen.push(...published.splice(0).map(({ message }) => follow(message)));
    }
    expect(seen).toContain(false);
  });

  it('two connections → numbers of their own', () => {
    const { publisher } = create();
    const [one, two] = [{}, {}];
    const origins = [one, two, one, two].map(
      (connection) =>
        decodeMessage(Buffer.from(publisher.announce(connection, CHANGE).message))!.origin,
    );
    expect(origins.map(({ link, sequence }) => [link, sequence])).toEqual([
      [0, 1],
      [1, 1],
      [0, 2],
      [1, 2],
    ]);
  });

  it('failed commands whose messages were heard before → forgotten after a minute, and own messages are no news', () => {
    const { clock, publisher } = create();
    const own = (): string => publisher.announce({}, CHANGE).message;
    for (let i = 0; i < 10_000; i++)
      publisher.disown({ channel: 'shop:i', message: `heard before ${i}` });
    expect(publisher.isNews(own())).toBe(true);
    clock.advance(60_000);
    expect(publisher.isNews(own())).toBe(false);
    const failed = own();
    publisher.disown({ channel: 'shop:i', message: failed });
    expect([publisher.isNews(failed), publisher.isNews(failed)]).toEqual([true, false]);
  });

  it('I3 a command fails, more than a minute after very many have → its message is news', () => {
    const { clock, publisher } = create();
    for (let i = 0; i < 10_000; i++)
      publisher.disown({ channel: 'shop:i', message: `heard before ${i}` });
    clock.advance(60_000);
    const failed = publisher.announce({}, CHANGE);
    publisher.disown(failed);
    expect(publisher.isNews(failed.message)).toBe(true);
  });

  it('I3 twice as many commands fail as are remembered → the others are not, and own messages are no news a minute after the first', () => {
    const { clock, publisher } = create();
    for (let i = 0; i < 20_000; i++) {
      if (i === 10_000) clock.advance(30_000);
      publisher.disown({ channel: 'shop:i', message: `heard before ${i}` });
    }
    clock.advance(30_000);
    expect(publisher.isNews(publisher.announce({}, CHANGE).message)).toBe(false);
  });

  it('close → nothing is said any more', () => {
    const { clock, publisher, published } = create();
    publisher.announce({}, CHANGE);
    publisher.close();
    clock.advance(5_000);
    expect(published).toEqual([]);
  });
});
