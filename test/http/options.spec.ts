import { Controller, Get, Param } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import type { CacheableOptions } from '../../lib/http/http.options.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp } from './http-app.js';

const IGNORED: CacheableOptions[] = [
  { grace: '1m' },
  { staleWhileRevalidate: true },
  { refreshAhead: { after: 0.5 } },
  { serializer: 'msgpack' },
  { schema: { '~standard': { version: 1, vendor: 'none', validate: (value) => ({ value }) } } },
];

function controllerWith(options: CacheableOptions) {
  @Controller('cats')
  class CatsController {
    runs = 0;

    @Get(':id')
    @Cacheable({ key: 'cat:{params.id}', ...options })
    find(@Param('id') id: string) {
      return { id, run: ++this.runs };
    }
  }
  return CatsController;
}

@Controller('versions')
class VersionsController {
  @Get('1')
  @Cacheable({ key: 'versions', version: 1 })
  first() {
    return { name: 'a' };
  }

  @Get('2')
  @Cacheable({ key: 'versions', version: 2 })
  second() {
    return { first: 'a' };
  }
}

describe.each(PLATFORMS)('options of handlers on %s', (platform) => {
  it.each(IGNORED)(
    'D4 %j has no effect on responses → CacheOptionsError at the start',
    async (options) => {
      const [path] = Object.keys(options);
      await expect(
        startApp(platform, { controllers: [controllerWith(options)] }),
      ).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        message: expect.stringContaining('@Cacheable on CatsController.find'),
        problems: [{ path }],
      });
    },
  );

  it('D4 what switches it off → as without it', async () => {
    const options = { grace: false, staleWhileRevalidate: false, refreshAhead: false } as const;
    const { verdict } = await startApp(platform, { controllers: [controllerWith(options)] });
    await verdict('/cats/7');
    expect(await verdict('/cats/7')).toBe('HIT');
  });

  it('B10 version — another one → a miss, and replaced', async () => {
    const { verdict, cache } = await startApp(platform, { controllers: [VersionsController] });
    await verdict('/versions/1');
    expect(await verdict('/versions/1')).toBe('HIT');
    expect(await verdict('/versions/2')).toBe('MISS');
    expect(await verdict('/versions/2')).toBe('HIT');
    expect(await cache.inspect('versions')).toMatchObject({ kind: 'http', version: '2' });
  });

  it('X9 sliding — read again and again → outlives its ttl', async () => {
    const sliding = controllerWith({ ttl: 400, sliding: true });
    const { send } = await startApp(platform, { controllers: [sliding] });
    const first = (await send('/cats/7')).text;
    const until = performance.now() + 700;
    await waitFor(async () => {
      expect((await send('/cats/7')).text).toBe(first);
      return performance.now() > until;
    });
  });
});
