import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What happens to bytes, at once and for connections already open: `pass`; hold each reply for `delayMs`; let no more than
 * `bytesPerSecond` of replies through on each connection (a narrow line); `drop` both
 * ways with connections left open (a cut network); `drop-replies` (the command runs, its answer is lost); `reset` every
 * connection, old and new, by a TCP RST; `half-close` the server's side (replies end, requests still arrive).
 */
export type ProxyMode =
  | 'pass'
  | { delayMs: number }
  | { bytesPerSecond: number }
  | 'drop'
  | 'drop-replies'
  | 'reset'
  | 'half-close';

/** A narrow line carries so many pieces in a second. */
const PIECES_PER_SECOND = 50;

interface Link {
  client: Socket;
  server: Socket;
  /** The replies on their way, one behind the other, so that none overtakes a delayed one. */
  replies: Promise<void>;
  /** Bytes of this link were dropped. */
  torn: boolean;
}

/** A TCP proxy within the test's own process, for faults between a client and a server that is well. */
export class FaultProxy {
  private mode: ProxyMode = 'pass';
  private readonly links = new Set<Link>();

  private constructor(
    private readonly listener: Server,
    private readonly target: URL,
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  /** Listens on a free port of the loopback interface, in front of the server at `url`. */
  static async start(url: string): Promise<FaultProxy> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return new FaultProxy(listener, new URL(url));
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** The server's URL, credentials and all, with the way through the proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** How many connections are open at this moment. */
  get connections(): number {
    return this.links.size;
  }

  /** Links that lost bytes are reset when dropping ends: no real stream goes on behind a gap. */
  set(mode: ProxyMode): void {
    this.mode = mode;
    const drops = mode === 'drop' || mode === 'drop-replies';
    for (const link of this.links) {
      if (mode === 'reset' || (link.torn && !drops)) this.reset(link);
      else if (mode === 'half-close') link.client.end();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const link of this.links) this.reset(link);
    await closed;
  }

  private accept(client: Socket): void {
    if (this.mode === 'reset') return void client.resetAndDestroy();
    const { hostname: host, port } = this.target;
    const options = { host, port: Number(port || 6379), noDelay: true, allowHalfOpen: true };
    const server = connect(options);
    const link: Link = { client, server, replies: Promise.resolve(), torn: false };
    this.links.add(link);
    for (const socket of [client, server])
      socket.on('error', () => this.reset(link)).on('close', () => this.forget(link));
    client.on('data', (bytes) => this.request(link, bytes)).on('end', () => server.end());
    server
      .on('data', (bytes) => this.reply(link, bytes))
      .on('end', () => void link.replies.then(() => client.end()));
    if (this.mode === 'half-close') client.end();
  }

  private request(link: Link, bytes: Buffer): void {
    if (this.mode === 'drop') link.torn = true;
    else link.server.write(bytes);
  }

  private reply(link: Link, bytes: Buffer): void {
    const { mode } = this;
    if (mode === 'drop' || mode === 'drop-replies') {
      link.torn = true;
      return;
    }
    if (typeof mode === 'object' && 'bytesPerSecond' in mode) {
      link.replies = link.replies.then(() => this.trickle(link, bytes));
      return;
    }
    const due = performance.now() + (typeof mode === 'object' ? mode.delayMs : 0);
    link.replies = link.replies.then(async () => {
      const waitMs = due - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
      if (link.client.writable) link.client.write(bytes);
    });
  }

  /** Piece by piece, and what is left all at once when the line is no longer narrow. */
  private async trickle({ client }: Link, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && client.writable;) {
      const { mode } = this;
      const isNarrow = typeof mode === 'object' && 'bytesPerSecond' in mode;
      const size = isNarrow ? Math.ceil(mode.bytesPerSecond / PIECES_PER_SECOND) : bytes.length;
      const piece = bytes.subarray(at, at + size);
      const waitMs = isNarrow ? (piece.length / mode.bytesPerSecond) * 1_000 : 0;
      if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
      if (client.writable) client.write(piece);
      at += piece.length;
    }
  }

  private reset(link: Link): void {
    link.client.resetAndDestroy();
    link.server.resetAndDestroy();
    this.links.delete(link);
  }

  private forget(link: Link): void {
    if (link.client.destroyed && link.server.destroyed) this.links.delete(link);
  }
}
