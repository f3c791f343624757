import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Version,
  VERSION_NEUTRAL,
  VersioningType,
  type VersioningOptions,
} from '@nestjs/common';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { PLATFORMS, startApp } from './http-app.js';

let runs: number;

@Controller({ path: 'cats', version: '1' })
class CatsController {
  @Get()
  @Cacheable()
  find() {
    return { run: ++runs };
  }

  /** Answers each version as that one asks for it, for all that is known here. */
  @Get('any')
  @Version(VERSION_NEUTRAL)
  @Cacheable()
  any() {
    return { run: ++runs };
  }
}

beforeEach(() => {
  runs = 0;
});

const BY_ACCEPT: VersioningOptions = { type: VersioningType.MEDIA_TYPE, key: 'v=' };
const accepting = (accept: string) => ({ accept });

describe.each(PLATFORMS)('versions of handlers on %s', (platform) => {
  const start = (versioning: VersioningOptions) =>
    startApp(
      platform,
      { controllers: [CatsController] },
      { configure: (app) => app.enableVersioning(versioning) },
    );

  it.each<[string, VersioningOptions, (version: string) => Record<string, string>]>([
    [
      'of a header',
      { type: VersioningType.HEADER, header: 'X-Version' },
      (version) => ({ 'x-version': version }),
    ],
    ['of a media type', BY_ACCEPT, (version) => accepting(`application/json;v=${version}`)],
    [
      'found by a function',
      {
        type: VersioningType.CUSTOM,
        extractor: (request: any) => request.headers['x-own'] ?? '1',
      },
      (version) => ({ 'x-own': version }),
    ],
  ])('P1 %s, for a handler of any → an entry each', async (_, versioning, asking) => {
    const { verdict } = await start(versioning);
    const verdicts = [];
    for (const version of ['1', '2', '1'])
      verdicts.push(await verdict('/cats/any', asking(version)));
    expect(verdicts).toEqual(['MISS', 'MISS', 'HIT']);
  });

  it('P1 its own version, asked for in several ways → one entry', async () => {
    const { verdict } = await start(BY_ACCEPT);
    expect(await verdict('/cats', accepting('application/json;v=1'))).toBe('MISS');
    expect(await verdict('/cats', accepting('text/json;v=1'))).toBe('HIT');
  });

  it('P1 versions in the path → no header counts', async () => {
    const { verdict } = await start({ type: VersioningType.URI });
    expect(await verdict('/cats/any', accepting('application/json'))).toBe('MISS');
    expect(await verdict('/cats/any', accepting('text/json'))).toBe('HIT');
  });
});
