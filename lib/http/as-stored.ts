import type { ServerResponse } from 'node:http';

/**
 * Responses that can be sent as the bytes of JSON that are stored, with nothing parsed and nothing serialised: those of which
 * Express or Fastify would make just these bytes from the value. Whatever an application has put in between (a replacer, a
 * schema of the response, a hook, a `json` of its own) gets the value.
 */

export interface ExpressResponse extends ServerResponse {
  raw?: undefined;
  readonly app?: ExpressApp;
  json?(body: unknown): unknown;
  send?(body: unknown): unknown;
}

interface ExpressApp {
  get(setting: string): unknown;
  readonly response?: object;
}

/** Of a reply of Fastify, as far as its symbols tell. */
interface FastifySlots {
  readonly context: symbol;
  readonly serializer: symbol;
}

const JSON_TYPE = 'application/json; charset=utf-8';
const JSON_WITHOUT_CHARSET = /^application\/(?:[\w.-]+\+)?json$/;

/** The content type with which both platforms send an object where this one was set; undefined: they may not send JSON. */
export function jsonTypeOf(type: string | readonly string[] | undefined): string | undefined {
  if (type === undefined || type === JSON_TYPE) return JSON_TYPE;
  return typeof type === 'string' && JSON_WITHOUT_CHARSET.test(type)
    ? `${type}; charset=utf-8`
    : undefined;
}

const EXPRESS_SETTINGS = ['json replacer', 'json spaces', 'json escape'];
/** Whether an application of Express has its own way with JSON; looked at once. */
const plainApps = new WeakMap<ExpressApp, boolean>();

export function isPlainExpress(response: ExpressResponse): boolean {
  const { app } = response;
  if (!app || typeof response.send !== 'function' || overridesJson(response)) return false;
  let isPlain = plainApps.get(app);
  if (isPlain === undefined) {
    isPlain = !EXPRESS_SETTINGS.some((name) => app.get(name)) && !overridesJson(app.response ?? {});
    plainApps.set(app, isPlain);
  }
  return isPlain;
}

const overridesJson = (object: object): boolean =>
  Object.hasOwn(object, 'json') || Object.hasOwn(object, 'send');

/** In bytes: up to here it is cheaper to copy a body behind its headers than to send it as a second chunk. */
const SHORT = 1024;

const chunkOf = (body: Buffer): Buffer | string => (body.length <= SHORT ? body.toString() : body);

/** In the place of a response's `json`, to which Nest gives every object, and so the bytes. */
export function sendBytes(this: ExpressResponse, body: unknown): unknown {
  if (!Buffer.isBuffer(body)) {
    delete this.json; // an error, after all
    return this.json!(body);
  }
  // Express has its own tag for what has none, and compares dates.
  if (!this.hasHeader('etag') || this.hasHeader('last-modified')) return this.send!(body);
  this.setHeader('content-length', body.length);
  return this.req.method === 'HEAD' ? this.end() : this.end(chunkOf(body));
}

/** A hook of Fastify gets a text, as when the value is serialised. */
export function fastifyChunkOf(body: Buffer, reply: object, request: object): Buffer | string {
  const own = slotsOf(reply, request)!;
  const context = valueAt(request, own.context) as Record<string, unknown>;
  return context['onSend'] ? body.toString() : chunkOf(body);
}

/** By the prototype of a server's replies, which is one for all of them. */
const slots = new WeakMap<object, FastifySlots | undefined>();
/** Whether a route of Fastify serialises plainly; looked at once. */
const plainRoutes = new WeakMap<object, boolean>();

export function isPlainFastify(reply: object, request: object): boolean {
  const own = slotsOf(reply, request);
  if (!own || valueAt(reply, own.serializer) !== null) return false;
  const context = valueAt(request, own.context) as Record<string, any> | undefined;
  if (!context) return false;
  let isPlain = plainRoutes.get(context);
  if (isPlain === undefined) {
    const serializer = symbolOf(context, 'fastify.replySerializerDefault');
    isPlain =
      serializer !== undefined &&
      !valueAt(context, serializer) &&
      !context['preSerialization'] &&
      !context['schema']?.response;
    plainRoutes.set(context, isPlain);
  }
  return isPlain;
}

function slotsOf(reply: object, request: object): FastifySlots | undefined {
  const prototype = Object.getPrototypeOf(reply) as object;
  if (slots.has(prototype)) return slots.get(prototype);
  const context = symbolOf(request, 'fastify.context');
  const serializer = symbolOf(reply, 'fastify.reply.serializer');
  const found = context && serializer ? { context, serializer } : undefined;
  slots.set(prototype, found);
  return found;
}

const valueAt = (object: object, at: symbol): unknown => (object as Record<symbol, unknown>)[at];

function symbolOf(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((own) => own.description === description);
}
