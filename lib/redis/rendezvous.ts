import { fmix32, murmur3 } from '../common/hash.js';

const { log } = Math;

export interface Candidate {
  /** What its share of the keys depends on, beside the weight. */
  readonly name: string;
  /** Its share of the keys is this over the sum of all weights. */
  readonly weight: number;
}

/**
 * Chooses one of several for each hash of a key, by highest random weight (Thaler and Ravishankar, 1998; with weights,
 * Schindelhauer and Schomaker, 2005): all make an offer that depends on the key and their own name, and the highest wins.
 * So one that comes or goes moves the keys that it wins or had won, and no others, and their order does not matter.
 *
 * Every process must choose alike, those of another release too.
 */
export class Rendezvous<T extends Candidate> {
  private readonly bidders: readonly { readonly seed: number; readonly candidate: T }[];

  /** At least one, with different names. */
  constructor(candidates: readonly T[]) {
    this.bidders = candidates.map((candidate) => ({ seed: murmur3(candidate.name), candidate }));
  }

  /** `hash` has 32 bits, evenly spread. */
  ownerOf(hash: number): T {
    let owner = this.bidders[0]!.candidate;
    let highest = -Infinity;
    for (const { seed, candidate } of this.bidders) {
      const chance = (fmix32(hash ^ seed) + 0.5) / 2 ** 32;
      // Above 0: the logarithm of a chance is below.
      const offer = -candidate.weight / log(chance);
      if (offer > highest || (offer === highest && candidate.name < owner.name)) {
        owner = candidate;
        highest = offer;
      }
    }
    return owner;
  }
}
