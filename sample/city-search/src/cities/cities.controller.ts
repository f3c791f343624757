import {
  Body,
  Controller,
  Get,
  NotFoundException,
  Param,
  Patch,
  Query,
  UseInterceptors,
  type ExecutionContext,
} from '@nestjs/common';
import { Cacheable } from 'nestjs-redis-cache';
import { CacheCountsInterceptor } from '../caches/cache-counts.interceptor.js';
import { countryTag, EVERYWHERE_TAG } from '../caches/tags.js';
import { CitiesQuery, CityChange, CityParams, SearchQuery } from './cities.dto.js';
import { CitiesService } from './cities.service.js';
import type { City, SearchResult } from './city.js';

@Controller('cities')
@UseInterceptors(CacheCountsInterceptor)
export class CitiesController {
  constructor(private readonly cities: CitiesService) {}

  /**
   * Cached as a response, since nobody else needs the value. No answer depends on who asks, so it is shared with requests that
   * have a cookie, as browsers send to localhost; and the interceptor above leaves it as it is, so its ETag is true.
   */
  @Get()
  @Cacheable({ tags: searchTag, http: { shared: true, etag: true } })
  search(@Query() query: SearchQuery): Promise<SearchResult> {
    return this.cities.search(query);
  }

  /** Cached in the service, which both of these read from the same entries. */
  @Get('several')
  several(@Query() { ids }: CitiesQuery): Promise<City[]> {
    return this.cities.findMany(ids.split(',').map(Number));
  }

  @Get(':id')
  async find(@Param() { id }: CityParams): Promise<City> {
    return found(id, await this.cities.find(Number(id)));
  }

  @Patch(':id')
  async update(@Param() { id }: CityParams, @Body() change: CityChange): Promise<City> {
    return found(id, await this.cities.update(Number(id), change));
  }
}

function found(id: string, city: City | null): City {
  if (!city) throw new NotFoundException(`There is no city ${id}`);
  return city;
}

function searchTag(context: ExecutionContext): string[] {
  const { country } = context.switchToHttp().getRequest<{ query: SearchQuery }>().query;
  return [country === undefined ? EVERYWHERE_TAG : countryTag(country)];
}
