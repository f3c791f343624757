import { describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { PerHandler } from '../../../lib/http/per-handler.js';

class One {}
class Other {}

const context = (handler: object, controller: object) =>
  ({ getHandler: () => handler, getClass: () => controller }) as ExecutionContext;

describe('PerHandler', () => {
  it('P8 a handler that two controllers inherit → made once for each of them', () => {
    const made = new PerHandler<string>();
    const [find, list] = [() => undefined, () => undefined];
    const seen: string[] = [];
    const ask = (handler: object, controller: typeof One) =>
      made.of(context(handler, controller), () => {
        seen.push(controller.name);
        return `${controller.name} ${seen.length}`;
      });
    for (const _ of [1, 2])
      expect([ask(find, One), ask(find, Other), ask(list, One)]).toEqual([
        'One 1',
        'Other 2',
        'One 3',
      ]);
    expect(seen).toHaveLength(3);
  });
});
