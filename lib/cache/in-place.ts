import type { CallModes } from './call-mode.js';
import { Counters } from './counters.js';
import type { EvictJournal } from './evict-journal.js';
import { LiveLook } from './live-look.js';
import type { CacheParts } from './parts.js';
import type { RawParts } from './raw-strings.js';
import type { EntryFormats } from './read/entry-formats.js';
import type { Evictor } from './write/evictor.js';
import { Slider } from './write/slider.js';
import { Taker } from './write/taker.js';
import { Toucher } from './write/toucher.js';

interface InPlaceState {
  readonly journal: EvictJournal;
  readonly formats: EntryFormats;
  readonly evictor: Evictor;
  readonly modes: CallModes;
}

/** Everything that changes what is stored where it is, put together. */
export class InPlace {
  readonly counters: Counters;
  readonly toucher: Toucher;
  readonly slider: Slider;
  readonly taker: Taker;
  readonly raw: RawParts;

  constructor(parts: CacheParts, { journal, formats, evictor, modes }: InPlaceState) {
    const live = new LiveLook(parts, journal);
    const { rawStore: store, settings, reporter } = parts;
    this.counters = new Counters(parts, { live, formats, evictor });
    const toucher = (this.toucher = new Toucher(parts, { live, modes }));
    this.slider = new Slider(parts, { toucher, modes });
    this.taker = new Taker(parts, { live, formats, evictor, modes });
    this.raw = { store, settings, reporter, modes };
  }
}
