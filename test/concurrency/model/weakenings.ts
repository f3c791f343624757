/** Each leaves out or spoils one rule of the protocol, at one place of a model; all of them must be found out. */
export const WEAKENINGS = {
  nocas: 'FILL stores whatever is at the key',
  nilok: 'FILL stores also where nothing is any more',
  lockkeep: 'EVICT leaves the lease',
  joinany: 'late joiners accept what was not stored',
  joinsealed: 'a flight can be joined although its FILL has been sent',
  getjoin: 'callers join a GET that has been sent',
  foundany: "ACQUIRE's value goes to those who joined after it was sent, too",
  precommit: 'evict before the commit',

  noguard: 'a reply is kept in the process whatever has been evicted since its command was sent',
  singledel: 'the own copy is dropped before EVICT is sent, not once more on its reply',
  lostmsg: 'a gap in the sequence of messages goes unnoticed',
  noflush: 'copies survive a disconnect',
  earlylive: 'copies are served and kept again before SUBSCRIBE is acknowledged',

  refreshexists: 'a refresh stores if any value is there, not only the one it saw',

  endtainted: 'END stores although the barrier is tainted',
  noshare: 'a second writer does not taint the barrier',
  expiredkeeps: 'END leaves the key alone once its barrier has expired',
  strangerpasses: "END of a writer whose barrier has expired does not taint another's",
  readercaches: 'what is loaded during a barrier is stored',
  barrieropen: 'ACQUIRE takes the lease in place of a barrier',
  asidekept: 'what is loaded during a barrier is kept in the process',
  evictdeletes: 'EVICT deletes the barrier',
  writepasses: 'WRITE is refused by a barrier and does not taint it',
  beginkeeps: 'BEGIN leaves a running lease alone, so that its FILL ends the barrier',
  givesanyway: 'END is given the value although BEGIN had not been answered before the write',
  failedrestores: 'END of a failed writer stores what was there before',

  c0late: 'the clock is read after the load',
  finishstamp: 'a value is stamped with the clock when it is stored',
  nocheck: 'a value found is taken without comparing its tags',
  checkearly: 'tags are compared with versions read before the caller came',
  joinunchecked: 'late joiners do not compare the tags of what was stored',
  lostzero: 'a lost table counts as version 0',
  gcbase: 'base stays where it is when old tags are dropped',

  resend: 'a late copy of ACQUIRE grants the same lease once more',
} as const;

export type Weakening = keyof typeof WEAKENINGS;
