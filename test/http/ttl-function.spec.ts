import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Param } from '@nestjs/common';
import { CachePut } from '../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { PLATFORMS, startApp } from './http-app.js';

interface Offer {
  id: string;
  open: boolean;
}

const MINUTE = 60_000;

@Controller('offers')
class OffersController {
  @Get(':id')
  @Cacheable({ key: 'offer:{params.id}', ttl: (offer: Offer) => (offer.open ? '2m' : '1d') })
  find(@Param('id') id: string): Offer {
    return { id, open: id === 'open' };
  }

  @Get(':id/put')
  @CachePut({ key: 'put:{params.id}', ttl: (offer: Offer) => `${offer.id}m` })
  put(@Param('id') id: string): Offer {
    return { id, open: true };
  }

  @Get(':id/wrong')
  @Cacheable({ key: 'wrong:{params.id}', ttl: () => 0 })
  wrong(@Param('id') id: string): Offer {
    return { id, open: true };
  }
}

describe.each(PLATFORMS)('X5 ttl as a function of the result, on %s', (platform) => {
  const start = () => startApp(platform, { controllers: [OffersController] });

  it('each response → lives as long as it says', async () => {
    const { send, cache, verdict } = await start();
    for (const path of ['/offers/open', '/offers/closed', '/offers/7/put']) await send(path);
    const minutes = async (key: string) => Math.ceil((await cache.ttl(key))! / MINUTE);
    expect(await minutes('offer:open')).toBe(2);
    expect(await minutes('offer:closed')).toBe(24 * 60);
    expect(await minutes('put:7')).toBe(7);
    expect(await verdict('/offers/open')).toBe('HIT');
  });

  it('no duration → answered, not stored', async () => {
    const { send, cache } = await start();
    expect((await send('/offers/1/wrong')).status).toBe(200);
    expect(await cache.ttl('wrong:1')).toBeUndefined();
  });
});
