/**
 * The entries that an update makes wrong. The templates are for `@Cacheable` and `@CacheEvict` on handlers, the
 * functions beside them make the same keys and tags for `CacheService`.
 */
export const CITY_KEY = 'city:{params.id}';
export const COUNTRY_STATS_KEY = 'country:{params.code}:stats';
export const COUNTRY_TAG = 'country:{params.code}';

export const cityKey = (id: number) => `city:${id}`;
export const countryTag = (code: string) => `country:${code}`;

/** An update may bring a city into a search or out of it, so what matters is where was searched, not what was found. */
export const EVERYWHERE_TAG = 'everywhere';

/** No answer depends on who asks, so a request with a cookie, as browsers send to localhost, is cached too. */
export const FOR_EVERYBODY = { shared: true };
