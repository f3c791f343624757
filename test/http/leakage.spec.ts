import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import { setImmediate as turn } from 'node:timers/promises';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { seeded } from '../support/seeded.js';
import { PLATFORMS, startApp, type Reply, type TestApp } from './http-app.js';

const USERS = 50;
/** On each of two platforms. */
const REQUESTS = 5_000;
const AT_A_TIME = 100;

const of = (request: any): string =>
  request.headers.authorization ??
  request.headers.cookie ??
  request.headers['x-tenant'] ??
  'nobody';

@Controller('mixed')
class MixedController {
  @Get('public')
  @Cacheable({ ttl: 50 })
  async public(@Query('page') page: string) {
    await turn();
    return { of: 'everybody', page };
  }

  @Get('private')
  @Cacheable({ ttl: 50 })
  async private(@Req() request: any) {
    await turn();
    return { of: of(request) };
  }

  @Get('mine')
  @Cacheable({ ttl: 50, key: 'mine:{headers.authorization}' })
  async mine(@Req() request: any) {
    await turn();
    return { of: of(request) };
  }

  @Get('tenant')
  @Cacheable({
    ttl: 50,
    http: { varyBy: (context) => context.switchToHttp().getRequest().headers['x-tenant'] },
  })
  async tenant(@Req() request: any) {
    await turn();
    return { of: of(request) };
  }

  /** What must not be written: it says that a private body is for everybody. */
  @Get('careless')
  @Cacheable({ ttl: 50, http: { shared: true } })
  async careless(@Req() request: any) {
    await turn();
    return { of: of(request) };
  }

  /** Every first visit begins a session: the body and the cookie name it. */
  @Get('session')
  @Cacheable({ ttl: 50 })
  async session(@Query('visitor') visitor: string, @Res({ passthrough: true }) response: any) {
    await turn();
    response.header('set-cookie', `visitor=${visitor}`);
    return { of: visitor };
  }

  @Get('welcome')
  @Cacheable({ ttl: 50, key: 'welcome' })
  async welcome(@Query('visitor') visitor: string, @Res({ passthrough: true }) response: any) {
    await turn();
    response.header('set-cookie', `visitor=${visitor}`);
    return { of: visitor };
  }
}

type Shot = (user: string) => readonly [request: Promise<Reply>, body: object, cookie?: string];

const shots = ({ send }: TestApp): Shot[] => [
  (page) => [send(`/mixed/public?page=${page}`), { of: 'everybody', page }],
  (of) => [send('/mixed/private', { headers: { authorization: of } }), { of }],
  (of) => [send('/mixed/private', { headers: { cookie: of } }), { of }],
  () => [send('/mixed/private'), { of: 'nobody' }],
  (of) => [send('/mixed/mine', { headers: { authorization: of } }), { of }],
  (of) => [send('/mixed/tenant', { headers: { 'x-tenant': of } }), { of }],
  (of) => [send(`/mixed/session?visitor=${of}`), { of }, `visitor=${of}`],
  (of) => [send(`/mixed/welcome?visitor=${of}`), { of }, `visitor=${of}`],
];

const careless = ({ send }: TestApp): Shot[] => [
  (of) => [send('/mixed/careless', { headers: { authorization: of } }), { of }],
];

/** What was foreign in the replies to that many random requests, and what the cache did. */
async function fire(all: Shot[], requests: number) {
  const random = seeded(21);
  const foreign: string[] = [];
  const verdicts: Record<string, number> = {};
  let left = requests;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const user = `user-${Math.floor(random() * USERS)}`;
      const [pending, body, cookie] = all[Math.floor(random() * all.length)]!(user);
      const reply = await pending;
      const given = [reply.status, reply.text, reply.headers['set-cookie']?.join()].join(' ');
      const expected = [200, JSON.stringify(body), cookie].join(' ');
      if (given !== expected) foreign.push(`${expected} expected, ${given} given`);
      const verdict = String(reply.headers['cache-status']).replace(/ttl=.*/, 'ttl');
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return { foreign, verdicts };
}

describe.each(PLATFORMS)('leakage on %s', (platform) => {
  const start = () => startApp(platform, { controllers: [MixedController] });

  it(`P2 ${REQUESTS} mixed requests of ${USERS} users → no foreign body, no foreign cookie`, async () => {
    const { foreign, verdicts } = await fire(shots(await start()), REQUESTS);
    expect(foreign.slice(0, 5)).toEqual([]);
    for (const kind of [
      'hit; ttl',
      'fwd=miss; stored',
      'fwd=miss; collapsed',
      'fwd=miss; detail=set-cookie',
      'fwd=bypass; detail=authorization',
    ])
      expect([kind, verdicts[`nestjs-redis-cache; ${kind}`]]).toEqual([kind, expect.any(Number)]);
  }, 240_000);

  it('control — a private body that is declared shared → is seen to leak', async () => {
    const { foreign } = await fire(careless(await start()), 200);
    expect(foreign.length).toBeGreaterThan(0);
  });
});
