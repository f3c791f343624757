import type { ExecutionContext } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import {
  fastifyChunkOf,
  isPlainExpress,
  isPlainFastify,
  sendBytes,
  type ExpressResponse,
} from './as-stored.js';

/** The parts of a request that keys and policies look at; Express and Fastify agree on them. */
export interface HttpRequest {
  readonly method: string;
  /** As the client sent it, mount paths and all. */
  readonly originalUrl: string;
  readonly url: string;
  readonly baseUrl?: string;
  /** Without a port; undefined: a client of HTTP/1.0 has not said it. */
  readonly hostname: string | undefined;
  /** As a trusted proxy says it, or else that of the connection. */
  readonly protocol?: string | undefined;
  readonly socket?: object | null;
  readonly headers: IncomingMessage['headers'];
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly user?: unknown;
  readonly raw?: IncomingMessage & { readonly user?: unknown };
}

/** Who asks. With Fastify, middleware sees the raw request, and leaves the user there. */
export const userOf = ({ user, raw }: HttpRequest): unknown => user ?? raw?.user;

interface FastifyReply {
  statusCode: number;
  readonly sent: boolean;
  readonly raw: ServerResponse;
  getHeader(name: string): number | string | string[] | undefined;
  header(name: string, value: number | string | string[]): unknown;
  removeHeader(name: string): unknown;
  serialize(body: unknown): string | Buffer;
}

/** Requests that an interceptor of ours has taken on: bound globally and to the handler, only the outer one acts. */
const claimed = new WeakSet<object>();

/** One request and its response: the differences between Express and Fastify end here. */
export class HttpExchange {
  /** What was set by us: that of what is stored, which may be the decorator's, and speaks to browsers. */
  cacheControl: string | undefined;

  private constructor(
    readonly request: HttpRequest,
    private readonly response: ExpressResponse | FastifyReply,
  ) {}

  /** Undefined in any other context than HTTP, and on a platform that is neither Express nor Fastify. */
  static of(context: ExecutionContext): HttpExchange | undefined {
    if (context.getType() !== 'http') return undefined;
    const http = context.switchToHttp();
    const request = http.getRequest<Partial<HttpRequest> | undefined>();
    const response = http.getResponse<Partial<FastifyReply> | undefined>();
    const isKnown =
      typeof request?.method === 'string' &&
      typeof request.originalUrl === 'string' &&
      typeof response?.getHeader === 'function' &&
      typeof (response.raw ?? (response as ServerResponse)).setHeader === 'function';
    if (!isKnown) return undefined;
    return new HttpExchange(request as HttpRequest, response as ExpressResponse | FastifyReply);
  }

  /** False: another interceptor of ours is at work on this request already. */
  claim(): boolean {
    const request = this.request.raw ?? this.request;
    if (claimed.has(request)) return false;
    claimed.add(request);
    return true;
  }

  get isSafe(): boolean {
    return this.request.method === 'GET' || this.request.method === 'HEAD';
  }

  /** Several fields of one name are one list (RFC 9110 §5.3). */
  requestHeader(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  get status(): number {
    return this.response.statusCode;
  }

  set status(code: number) {
    this.response.statusCode = code;
  }

  header(name: string): string | string[] | undefined {
    const value = this.response.getHeader(name);
    return typeof value === 'number' ? String(value) : value;
  }

  headerList(name: string): string | undefined {
    const value = this.header(name);
    return Array.isArray(value) ? value.join(', ') : value;
  }

  setHeader(name: string, value: string | string[]): void {
    if (this.response.raw) this.response.header(name, value);
    else this.response.setHeader(name, value);
  }

  /** For {@link onHead}: by then a reply of Fastify that sends a stream has given its headers to the raw response. */
  replaceHeader(name: string, value?: string): void {
    const { response } = this;
    const raw: ServerResponse = response.raw ?? response;
    const isGivenOn = raw.getHeader(name) === response.getHeader(name);
    response.removeHeader(name);
    if (isGivenOn) raw.removeHeader(name);
    if (value === undefined) return;
    if (isGivenOn) raw.setHeader(name, value);
    else this.setHeader(name, value);
  }

  /** Runs `action` when the head is about to be written, with the status that it will have; it may still replace headers. */
  onHead(action: (status: number) => void): void {
    const response: Pick<ServerResponse, 'writeHead'> = this.response.raw ?? this.response;
    const { writeHead } = response;
    response.writeHead = (...given: any[]) => {
      response.writeHead = writeHead;
      action(given[0] as number);
      return writeHead.apply(response, given as Parameters<typeof writeHead>);
    };
  }

  /** The headers are out, or somebody else writes the response: it cannot be recorded, and must not be touched. */
  get isSent(): boolean {
    if (!this.response.raw) return this.response.headersSent;
    return this.response.sent || this.response.raw.headersSent;
  }

  /** Whether an object would be sent as its JSON and nothing else, see {@link asStored}. */
  get sendsPlainJson(): boolean {
    return this.response.raw
      ? isPlainFastify(this.response, this.request)
      : isPlainExpress(this.response);
  }

  /** Whether what the application has in the place of JSON, if anything, makes the same of a body and of its JSON. */
  sendsAlike(body: object, json: Buffer): boolean {
    const { response } = this;
    const replacer = response.raw ? undefined : response.app?.get('json replacer');
    if (this.sendsPlainJson || !(response.raw ?? replacer)) return true;
    const sent = (given: object): unknown =>
      response.raw
        ? response.serialize(given)
        : JSON.stringify(given, replacer as (() => unknown) | undefined);
    try {
      return isDeepStrictEqual(sent(body), sent(JSON.parse(json.toString()) as object));
    } catch {
      return true; // it is not for these, but for what an interceptor further out makes of them
    }
  }

  /** What has to be emitted, as if the handler had returned it, so that just these bytes are sent, with this content type. */
  asStored(body: Buffer, contentType: string): unknown {
    this.setHeader('content-type', contentType);
    if (this.response.raw) return fastifyChunkOf(body, this.response, this.request);
    this.response.json = sendBytes;
    return body;
  }

  get setsCookie(): boolean {
    return this.header('set-cookie') !== undefined || this.hasPendingCookie();
  }

  /** Runs `action` once the response has left, or will not, since its client has hung up; its headers are still there then. */
  onEnd(action: () => void): void {
    const response = this.response.raw ?? this.response;
    if (response.closed) return action();
    const end = (): void => {
      response.off('finish', end).off('close', end);
      action();
    };
    response.once('finish', end).once('close', end);
  }

  /** Whether it is known by now with which headers it was sent. */
  get isWritten(): boolean {
    return (this.response.raw ?? this.response).headersSent;
  }

  /** `@fastify/cookie` keeps the cookies of a reply to itself until the reply is on its way. */
  private hasPendingCookie(): boolean {
    if (!this.response.raw) return false;
    const reply = this.response as unknown as Record<symbol, { size?: number } | null>;
    const slot = Object.getOwnPropertySymbols(reply).find(
      ({ description }) => description === 'fastify.reply.setCookies',
    );
    return slot !== undefined && (reply[slot]?.size ?? 0) > 0;
  }
}
