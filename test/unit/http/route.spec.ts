import { describe, expect, it } from '@jest/globals';
import { Get, Next, Param, Res } from '@nestjs/common';
import { writesResponse } from '../../../lib/http/route.js';

class BaseController {
  @Get('res')
  res(@Res() _response: unknown) {}

  @Get('next')
  next(@Next() _next: unknown) {}

  @Get('passthrough')
  passthrough(@Res({ passthrough: true }) _response: unknown) {}

  @Get('plain/:id')
  plain(@Param('id') _id: string) {}
}
class DerivedController extends BaseController {}

describe.each([BaseController, DerivedController])('writesResponse of a handler of %p', (type) => {
  const { prototype } = BaseController;

  it.each([
    ['res', true],
    ['next', true],
    ['passthrough', false],
    ['plain', false],
  ] as const)('P3 %s → %p, and so if another decorator has replaced it', (name, expected) => {
    expect(writesResponse(type, prototype[name])).toBe(expected);
    const method = prototype[name] as () => void;
    const replaced = (): void => undefined;
    try {
      Object.assign(prototype, { [name]: replaced });
      expect(writesResponse(type, replaced)).toBe(expected);
    } finally {
      Object.assign(prototype, { [name]: method });
    }
  });
});
