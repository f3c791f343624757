import { barrierModel } from './barrier-model.js';
import { ELSEWHERE, leaseModel } from './entry-model.js';
import { refreshModel } from './refresh-model.js';
import { resendModel } from './resend-model.js';
import { tagModel } from './tag-model.js';
import { tierModel } from './tier-model.js';
import type { Weakening } from './weakenings.js';
import type { Violation, World } from './world.js';

type Build = (weak: readonly Weakening[]) => World;

/**
 * Who takes part, by name. A reader reads again and again, a writer writes once; writers elsewhere share no process with
 * readers. The key may expire at any time in all of them.
 */
export const SCENARIOS = {
  'lease: 2 readers in A, 1 in B, writer in B': (weak) =>
    leaseModel(weak, { readers: [2, 1], writers: [1] }),
  'lease: 2 readers in A, 1 in B, writer in A': (weak) =>
    leaseModel(weak, { readers: [2, 1], writers: [0] }),
  'lease: reader and writer in A and in B': (weak) =>
    leaseModel(weak, { readers: [1, 1], writers: [0, 1] }),
  'lease: 2 readers and a writer in A, a writer elsewhere': (weak) =>
    leaseModel(weak, { readers: [2], writers: [0, ELSEWHERE] }),
  'lease: reader in A and in B, who need not look, writer in B': (weak) =>
    leaseModel(weak, { readers: [1, 1], writers: [1], mayNotLook: true }),
  'lease: 2 readers in A, who need not look, writer elsewhere': (weak) =>
    leaseModel(weak, { readers: [2], writers: [ELSEWHERE], mayNotLook: true }),
  'resend: 1 reader, writer elsewhere': (weak) =>
    resendModel(weak, { readers: [1], writers: [ELSEWHERE] }),

  'tier: reader in A and in B, writer in A': (weak) =>
    tierModel(weak, { readers: [1, 1], writers: [0] }),
  'tier: 2 readers and writer in A': (weak) => tierModel(weak, { readers: [2], writers: [0] }),
  'tier: reader in A and in B, who need not look, writer in A': (weak) =>
    tierModel(weak, { readers: [1, 1], writers: [0], mayNotLook: true }),
  'tier: reader and writer in A, writer elsewhere': (weak) =>
    tierModel(weak, { readers: [1], writers: [0, ELSEWHERE] }),

  'refresh: 2 readers in A, writer elsewhere': (weak) =>
    refreshModel(weak, { readers: [2], writers: [ELSEWHERE] }),
  'refresh: 2 readers and writer in A': (weak) =>
    refreshModel(weak, { readers: [2], writers: [0] }),

  'barrier: reader, 2 writers': (weak) =>
    barrierModel(weak, { readers: [1], writers: [ELSEWHERE, ELSEWHERE] }),
  'barrier: reader, writer, an evict in between': (weak) =>
    barrierModel(weak, { readers: [1], writers: [ELSEWHERE], evictors: [ELSEWHERE] }),
  'barrier: reader, writer, a set in between': (weak) =>
    barrierModel(weak, { readers: [1], writers: [ELSEWHERE], setter: true }),
  'barrier: reader, 2 writers, an evict in between': (weak) =>
    barrierModel(weak, { readers: [1], writers: [ELSEWHERE, ELSEWHERE], evictors: [ELSEWHERE] }),
  'barrier: reader in A and in B, writer, an evict in between': (weak) =>
    barrierModel(weak, { readers: [1, 1], writers: [ELSEWHERE], evictors: [ELSEWHERE] }),
  'barrier: reader, writer that times out, an evict in between': (weak) =>
    barrierModel(weak, {
      readers: [1],
      writers: [ELSEWHERE],
      evictors: [ELSEWHERE],
      timeouts: true,
    }),
  'barrier: reader with a tier, writer in its process': (weak) =>
    barrierModel(weak, { readers: [1], writers: [0], tiers: true }),
  'barrier: reader with a tier, writer elsewhere': (weak) =>
    barrierModel(weak, { readers: [1], writers: [ELSEWHERE], tiers: true }),

  'tag: 2 readers in A, writer, a lost table': (weak) =>
    tagModel(weak, { readers: [2], writers: [ELSEWHERE], losses: 1 }),
  'tag: reader in A and in B, writer, a lost table': (weak) =>
    tagModel(weak, { readers: [1, 1], writers: [ELSEWHERE], losses: 1 }),
  'tag: reader, 2 writers, 2 lost tables': (weak) =>
    tagModel(weak, { readers: [1], writers: [ELSEWHERE, ELSEWHERE], losses: 2 }),
  'tag: reader, writer, an evict of the key': (weak) =>
    tagModel(weak, { readers: [1], writers: [ELSEWHERE], evictors: [ELSEWHERE], losses: 1 }),
} satisfies Record<string, Build>;

export type Scenario = keyof typeof SCENARIOS;

/** Some millions of states each: only with MODEL_WIDE=1, for some minutes and a gigabyte. */
export const WIDE_SCENARIOS: Record<string, Build> = {
  'lease: 2 readers in A, 1 in B, writer in A and in B': (weak) =>
    leaseModel(weak, { readers: [2, 1], writers: [0, 1] }),
  'tier: reader and writer in A and in B': (weak) =>
    tierModel(weak, { readers: [1, 1], writers: [0, 1] }),
  'tier: 2 readers and writer in A, writer elsewhere': (weak) =>
    tierModel(weak, { readers: [2], writers: [0, ELSEWHERE] }),
  'refresh: reader in A and in B, writer elsewhere': (weak) =>
    refreshModel(weak, { readers: [1, 1], writers: [ELSEWHERE] }),
  'barrier: 2 readers in A, 2 writers': (weak) =>
    barrierModel(weak, { readers: [2], writers: [ELSEWHERE, ELSEWHERE] }),
  'barrier: reader in A and in B, 2 writers': (weak) =>
    barrierModel(weak, { readers: [1, 1], writers: [ELSEWHERE, ELSEWHERE] }),
};

/** How a weakening must come to light: in which scenario, as what, and a step or a word of its shortest trace. */
export const MUST_FAIL: Record<Weakening, [Scenario, Violation['kind'], string]> = {
  nocas: [
    'lease: 2 readers in A, 1 in B, writer in B',
    'stale entry at rest',
    'FILL executes: stored',
  ],
  nilok: [
    'lease: 2 readers in A, 1 in B, writer in B',
    'stale entry at rest',
    'FILL executes: stored',
  ],
  lockkeep: [
    'lease: 2 readers in A, 1 in B, writer in B',
    'stale entry at rest',
    'FILL executes: stored',
  ],
  joinany: ['lease: 2 readers in A, 1 in B, writer in B', 'stale read', 'joined, unstored'],
  joinsealed: ['lease: 2 readers in A, 1 in B, writer in B', 'stale read', 'joined, stored'],
  getjoin: ['lease: 2 readers in A, 1 in B, writer in B', 'stale read', 'joins the GET'],
  foundany: ['lease: 2 readers in A, 1 in B, writer in B', 'stale read', 'joined, found'],
  precommit: ['lease: 2 readers in A, 1 in B, writer in B', 'stale entry at rest', 'EVICT replies'],
  resend: [
    'resend: 1 reader, writer elsewhere',
    'stale entry at rest',
    'late copy of ACQUIRE executes: granted',
  ],

  noguard: ['tier: reader in A and in B, writer in A', 'own evict not seen', 'GET replies: hit'],
  singledel: ['tier: reader in A and in B, writer in A', 'own evict not seen', 'GET replies: hit'],
  lostmsg: ['tier: reader in A and in B, writer in A', 'stale copy at rest', 'is lost'],
  noflush: ['tier: reader in A and in B, writer in A', 'stale copy at rest', 'connection breaks'],
  earlylive: [
    'tier: reader in A and in B, writer in A',
    'stale copy at rest',
    'SUBSCRIBE executes',
  ],

  refreshexists: [
    'refresh: 2 readers in A, writer elsewhere',
    'stale entry at rest',
    'leads a refresh',
  ],

  endtainted: [
    'barrier: reader, writer, an evict in between',
    'stale entry at rest',
    'END executes: stored',
  ],
  noshare: ['barrier: reader, 2 writers', 'stale read', 'END executes: stored'],
  expiredkeeps: ['barrier: reader, 2 writers', 'stale entry at rest', 'the barrier expires'],
  strangerpasses: ['barrier: reader, 2 writers', 'stale entry at rest', 'the barrier expires'],
  readercaches: ['barrier: reader, 2 writers', 'stale entry at rest', 'crashes'],
  barrieropen: ['barrier: reader, 2 writers', 'stale entry at rest', 'crashes'],
  asidekept: [
    'barrier: reader with a tier, writer elsewhere',
    'stale copy at rest',
    'will load and not store',
  ],
  evictdeletes: ['barrier: reader, writer, an evict in between', 'stale read', 'EVICT executes'],
  writepasses: [
    'barrier: reader, writer, a set in between',
    'stale entry at rest',
    'WRITE executes: refused',
  ],
  beginkeeps: ['barrier: reader, 2 writers', 'stale entry at rest', 'FILL executes: stored'],
  givesanyway: [
    'barrier: reader, writer that times out, an evict in between',
    'stale entry at rest',
    'late BEGIN executes',
  ],
  failedrestores: ['barrier: reader, 2 writers', 'stale entry at rest', 'END sent without a value'],

  c0late: ['tag: reader in A and in B, writer, a lost table', 'stale entry at rest', 'reads c0: 2'],
  finishstamp: [
    'tag: reader in A and in B, writer, a lost table',
    'stale entry at rest',
    'BUMP executes',
  ],
  nocheck: ['tag: reader in A and in B, writer, a lost table', 'stale read', 'GET replies: hit'],
  checkearly: [
    'tag: reader in A and in B, writer, a lost table',
    'stale read',
    'READ executes before A1 begins',
  ],
  joinunchecked: ['tag: 2 readers in A, writer, a lost table', 'stale read', 'joined, stored'],
  lostzero: ['tag: reader in A and in B, writer, a lost table', 'stale read', 'the table is lost'],
  gcbase: [
    'tag: reader in A and in B, writer, a lost table',
    'stale entry at rest',
    'old tags are dropped',
  ],
};
