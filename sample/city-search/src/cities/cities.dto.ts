import { Transform } from 'class-transformer';
import {
  IsLatitude,
  IsLongitude,
  IsNumber,
  IsOptional,
  IsString,
  Length,
  Matches,
  ValidateIf,
} from 'class-validator';
import { IsCountryCode } from '../countries/country-code.js';

const Trim = () =>
  Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value));

/** Leaves out what is not given; null is given, and wrong. */
const IfGiven = () => ValidateIf((_, value) => value !== undefined);

export class SearchQuery {
  @Trim()
  @IsString()
  @Length(2, 60)
  name!: string;

  @IsOptional()
  @IsCountryCode()
  country?: string;
}

export class CityParams {
  /** One spelling for each number, as an address should have: caches on the way would take '042' for another city. */
  @Matches(/^[1-9]\d{0,8}$/, { message: 'id must be a whole number from 1, without leading zeros' })
  id!: string;
}

export class CitiesQuery {
  /** Such as '7,4711,42'. */
  @Matches(/^[1-9]\d{0,8}(,[1-9]\d{0,8}){0,99}$/, {
    message: 'ids must be up to 100 whole numbers from 1, with commas between them',
  })
  ids!: string;
}

/** What is to be changed of a city; what is not given stays. */
export class CityChange {
  @IfGiven()
  @Trim()
  @IsString()
  @Length(1, 100)
  name?: string;

  @IfGiven()
  @IsNumber()
  @IsLatitude()
  lat?: number;

  @IfGiven()
  @IsNumber()
  @IsLongitude()
  lng?: number;
}
