import type { AddressInfo } from 'node:net';
import {
  Controller,
  Get,
  Module,
  UseInterceptors,
  type DynamicModule,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** How one application answers; each contender has its own. */
export interface Answering {
  readonly name: string;
  readonly imports?: readonly DynamicModule[];
  /** On each handler. */
  readonly decorator: MethodDecorator;
  /** Once it is warm, no handler runs. */
  readonly isCached?: boolean;
  /** Where our hits come from. */
  readonly tier?: 'l1' | 'redis';
}

export interface Served {
  readonly app: INestApplication;
  readonly url: string;
  /** How often handlers have run. */
  runs(): number;
}

/** The decorator of an application that does nothing about it. */
export const nothing: MethodDecorator = () => undefined;

/** What any interceptor costs. */
export const bareInterceptor: MethodDecorator = UseInterceptors({
  intercept: (_, next) => next.handle(),
} satisfies NestInterceptor);

/** An application with one route for each body, on a port of its own. */
export async function serve(
  platform: Platform,
  { imports = [], decorator }: Answering,
  bodies: { readonly tiny: object; readonly large: object },
): Promise<Served> {
  let runs = 0;

  @Controller()
  class BodiesController {
    @Get('tiny')
    @decorator
    async tiny(): Promise<object> {
      runs++;
      return bodies.tiny;
    }

    @Get('large')
    @decorator
    async large(): Promise<object> {
      runs++;
      return bodies.large;
    }
  }

  @Module({ imports: [...imports], controllers: [BodiesController] })
  class BodiesModule {}

  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app: INestApplication = await NestFactory.create(BodiesModule, adapter, {
    logger: ['error', 'warn'],
  });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, runs: () => runs };
}
