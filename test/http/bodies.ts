import { beforeEach } from '@jest/globals';
import { Controller, Get, Header } from '@nestjs/common';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';

const ITEMS = Array.from({ length: 200 }, (_, id) => ({ id, name: `Łódź ${id}` }));

/** How often a handler with `@Cacheable` has run in this test. */
export let runs = 0;
beforeEach(() => {
  runs = 0;
});

@Controller('bodies')
export class BodiesController {
  @Get('large')
  @Cacheable()
  large() {
    return { run: ++runs, ITEMS };
  }

  @Get('text')
  @Cacheable()
  text() {
    return `run ${++runs}: ${'long '.repeat(1000)}`;
  }

  @Get('small')
  @Cacheable()
  small() {
    return [++runs, 'ü'];
  }

  @Get('problem')
  @Header('Content-Type', 'application/problem+json')
  @Cacheable()
  problem() {
    return { run: ++runs };
  }

  @Get('untagged')
  @Cacheable({ http: { etag: false } })
  untagged() {
    return { run: ++runs };
  }

  @Get('uncached')
  uncached() {
    return { run: 1, ITEMS };
  }
}
