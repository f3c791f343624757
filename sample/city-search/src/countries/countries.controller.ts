import {
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  UseInterceptors,
} from '@nestjs/common';
import { CacheCountsInterceptor } from '../caches/cache-counts.interceptor.js';
import { CountriesService, type Country, type CountryStats } from './countries.service.js';
import { CountryParams } from './country-code.js';

@Controller('countries')
@UseInterceptors(CacheCountsInterceptor)
export class CountriesController {
  constructor(private readonly countries: CountriesService) {}

  @Get()
  list(): Promise<Country[]> {
    return this.countries.list();
  }

  @Get(':code/stats')
  async stats(@Param() { code }: CountryParams): Promise<CountryStats> {
    const stats = await this.countries.stats(code);
    if (!stats) throw new NotFoundException(`There is no country ${code} with a city`);
    return stats;
  }

  /** Forgets the statistics; the next read computes them again. */
  @Delete(':code/stats')
  @HttpCode(204)
  forgetStats(@Param() { code }: CountryParams): Promise<void> {
    return this.countries.forgetStats(code);
  }
}
