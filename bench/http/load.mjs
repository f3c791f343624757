/**
 * Sends requests, in a process of its own: it would otherwise take the time of those who answer. A message in is what
 * autocannon is given; a message out what came of it.
 */
import autocannon from 'autocannon';

async function load(options) {
  const { requests, duration, non2xx, errors, timeouts, mismatches } = await autocannon(options);
  const failed = non2xx + errors + timeouts + mismatches;
  process.send({ answered: requests.total, seconds: duration, failed });
}

process.on('message', (options) => void load(options));
process.on('disconnect', () => process.exit());
process.send('ready');
