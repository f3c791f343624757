/** By which whoever asks for one thing again and again finds a copy of it without looking it up. */
export interface Shortcut {
  /** Of who keeps the copies; undefined: it has to be looked up. */
  copy: unknown;
}
