import { Body, Controller, Get, Param, Patch, Query, type ExecutionContext } from '@nestjs/common';
import { Cacheable } from 'nestjs-redis-cache';
import { CityChange, CityParams, SearchQuery } from './cities.dto.js';
import { CITY_KEY, countryTag, EVERYWHERE_TAG, FOR_EVERYBODY } from '../caching.js';
import { CitiesService } from './cities.service.js';
import type { City, SearchResult } from './city.js';

@Controller('cities')
export class CitiesController {
  constructor(private readonly cities: CitiesService) {}

  @Get()
  @Cacheable({ tags: searchTag, http: FOR_EVERYBODY })
  search(@Query() query: SearchQuery): Promise<SearchResult> {
    return this.cities.search(query);
  }

  @Get(':id')
  @Cacheable({ key: CITY_KEY, http: FOR_EVERYBODY })
  find(@Param() { id }: CityParams): Promise<City> {
    return this.cities.find(Number(id));
  }

  @Patch(':id')
  update(@Param() { id }: CityParams, @Body() change: CityChange): Promise<City> {
    return this.cities.update(Number(id), change);
  }
}

function searchTag(context: ExecutionContext): string[] {
  const { country } = context.switchToHttp().getRequest<{ query: SearchQuery }>().query;
  return [country === undefined ? EVERYWHERE_TAG : countryTag(country)];
}
