import { typedKey } from 'nestjs-redis-cache';

export interface City {
  readonly id: number;
  readonly name: string;
  /** The state, province or the like; null where GeoNames names none. */
  readonly region: string | null;
  /** ISO 3166-1 alpha-2, such as 'FR'. */
  readonly country: string;
  readonly lat: number;
  readonly lng: number;
}

/** Null is cached, too: there is no such city. */
export const cityKey = (id: number) => typedKey<City | null>(['city', id]);

export interface SearchResult {
  /** All that match; `cities` are the best of them. */
  readonly total: number;
  readonly cities: readonly City[];
}

/** Emitted, as `city.updated`, when the change is in the database. */
export class CityUpdated {
  static readonly event = 'city.updated';

  constructor(readonly city: City) {}
}
