/**
 * What an update of a city makes wrong beside its own entry: the statistics of its country, and the searches that looked
 * there or everywhere. An update may bring a city into a search or out of it, so what matters is where was searched, not
 * what was found.
 */
export const countryTag = (code: string) => `country:${code}`;
export const EVERYWHERE_TAG = 'everywhere';
