import {
  ClassSerializerInterceptor,
  VersioningType,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import {
  REDIRECT_METADATA,
  RENDER_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
  VERSION_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { ApplicationConfig } from '@nestjs/core';
import { noCache } from '../cache/decorated/decorated-method.js';
import { compileCacheable } from './compile-route.js';
import type { HttpRequest } from './http-exchange.js';
import { cacheableRoute, type CacheableRoute } from './http.options.js';
import { endsWithHandler, interceptorsOf, isA } from './interceptors.js';
import { isAsSent, KnownKeys } from './request-key.js';

/** What is said where somebody wants what cannot be, by why it cannot. */
export const NO_EFFECT = {
  sse: 'has no effect on a handler of server-sent events',
  response:
    'has no effect on a handler that writes the response itself: use @Res({ passthrough: true })',
} as const;

type Handler = ReturnType<ExecutionContext['getHandler']>;
type Named = Pick<Handler, 'name'>;

/** What Nest and the decorators say of one handler of one controller. */
export class Route {
  /** `CatsController.find` */
  readonly name: string;
  /** The defaults where there is no `@Cacheable`. */
  readonly cacheable: CacheableRoute;
  readonly isDecorated: boolean;
  /** Why its responses are none that could be stored: events, or a response that the handler writes itself. */
  readonly beyondUs: keyof typeof NO_EFFECT | undefined;
  readonly excluded: boolean;
  /** What it returns is the body, and not the model of a view or a redirect. */
  readonly returnsBody: boolean;
  /** What it returns is the model of a view. */
  readonly renders: boolean;
  /** No interceptor but the acting one of ours sees what is answered. */
  readonly isOutermost: boolean;
  /** One interceptor of ours stands before the handler, and no second one. */
  readonly isOurs: boolean;
  /** The handler has ended when what ours leads to has. */
  readonly endsWithHandler: boolean;
  readonly keys = new KnownKeys(
    (request) => isAsSent(request) && this.versionOf(request) === undefined,
  );
  /** Instances of classes are still to be serialised, by an interceptor that must see them as such. */
  readonly serializes: boolean;
  private readonly versions: unknown;

  constructor(
    context: ExecutionContext,
    private readonly config: ApplicationConfig,
    ours: Type<NestInterceptor>,
  ) {
    const handler = context.getHandler();
    const controller = context.getClass();
    const read = (key: string, ...targets: object[]): unknown =>
      targets.map((target) => Reflect.getMetadata(key, target) as unknown).find((v) => v != null);
    this.name = `${controller.name}.${handler.name}`;
    const [own, shared] = [cacheableRoute.get(handler), cacheableRoute.get(controller)];
    this.isDecorated = own !== undefined || shared !== undefined;
    this.cacheable =
      own && shared ? within(shared, own) : (own ?? shared ?? compileCacheable(this.name, {}));
    this.excluded = (noCache.get(handler) ?? noCache.get(controller)) === true;
    this.renders = Boolean(read(RENDER_METADATA, handler));
    this.returnsBody = !this.renders && !read(REDIRECT_METADATA, handler);
    this.versions = read(VERSION_METADATA, handler, controller);
    if (read(SSE_METADATA, handler)) this.beyondUs = 'sse';
    else if (writesResponse(controller, handler)) this.beyondUs = 'response';
    const interceptors = interceptorsOf(context, config);
    this.isOutermost = interceptors[0] === ours;
    this.isOurs = interceptors.filter((type) => isA(type, ours)).length === 1;
    this.endsWithHandler = endsWithHandler(ours, interceptors, handler);
    this.serializes = interceptors.some((type) => isA(type, ClassSerializerInterceptor));
  }

  /**
   * What chose this handler among those of the same path: its version where it has one, and otherwise what the request
   * says of the version. A version in the path is in the path.
   */
  versionOf(request: HttpRequest): string | undefined {
    const versioning = this.config.getVersioning();
    if (!versioning || versioning.type === VersioningType.URI) return undefined;
    if (typeof this.versions === 'string') return this.versions;
    if (versioning.type === VersioningType.CUSTOM)
      return `?${String(versioning.extractor(request))}`;
    const header = versioning.type === VersioningType.HEADER ? versioning.header : 'accept';
    return `?${String(request.headers[header.toLowerCase()] ?? '')}`;
  }
}

/** What a handler says goes before what its controller says, which may be another one than that in which it is written. */
function within({ load: { ttlMs } }: CacheableRoute, own: CacheableRoute): CacheableRoute {
  return own.options.ttl === undefined ? { ...own, load: { ...own.load, ttlMs } } : own;
}

/** `@Res()` or `@Next()` without `passthrough`, by the rule of Nest's router. */
export function writesResponse(controller: Type, handler: Handler): boolean {
  const name = methodName(controller, handler);
  if (Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, controller, name)) return false;
  const own = [RouteParamtypes.RESPONSE, RouteParamtypes.NEXT];
  return parametersOf(controller, handler).some((parameter) => own.includes(parameter));
}

/** What its parameters are decorated with. */
export function parametersOf(controller: Type, handler: Named): RouteParamtypes[] {
  const name = methodName(controller, handler);
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) ?? {}) as object;
  return Object.keys(args).map((arg) => Number(arg.split(':', 1)[0]));
}

/** Its name in the class: a function that another decorator has put in its place may be called anything. */
function methodName(controller: Type, handler: Named): string {
  for (
    let prototype = controller.prototype as object | null;
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  )
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
      if (value === handler) return name;
  return handler.name;
}
