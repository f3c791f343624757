/**
 * The entries that an update makes wrong. The templates are for `@Cacheable` and `@CacheEvict` on handlers, the
 * functions beside them make the same keys for `CacheService`.
 */
export const CITY_KEY = 'city:{params.id}';
export const COUNTRY_STATS_KEY = 'country:{params.code}:stats';

export const cityKey = (id: number) => `city:${id}`;
export const countryStatsKey = (code: string) => `country:${code}:stats`;

/** No answer depends on who asks, so a request with a cookie, as browsers send to localhost, is cached too. */
export const FOR_EVERYBODY = { shared: true };
