import { Matches } from 'class-validator';

/** ISO 3166-1 alpha-2 in capitals. 'fr' is refused: it would be a second entry for France, which nobody evicts. */
export const IsCountryCode = () =>
  Matches(/^[A-Z]{2}$/, { message: '$property must be two capital letters, such as FR' });

export class CountryParams {
  @IsCountryCode()
  code!: string;
}
