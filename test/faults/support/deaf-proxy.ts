import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Link {
  client: Socket;
  server: Socket;
  subscribed: boolean;
  /** What was sent to it is lost. */
  deaf: boolean;
}

/** A TCP proxy that loses what the server sends to subscribers, and nothing else; their connections stay open. */
export class DeafProxy {
  private readonly links = new Set<Link>();
  private isLosing = false;

  private constructor(
    private readonly listener: Server,
    private readonly target: { host: string; port: number },
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  static async start(target: { host: string; port: number }): Promise<DeafProxy> {
    const listener = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return new DeafProxy(listener, target);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  lose(): void {
    this.isLosing = true;
  }

  /** Connections that have lost something end: no stream goes on behind a gap. */
  pass(): void {
    this.isLosing = false;
    for (const link of this.links) if (link.deaf) end(link);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const link of this.links) end(link);
    await closed;
  }

  private accept(client: Socket): void {
    const server = connect({ ...this.target, noDelay: true });
    const link = { client, server, subscribed: false, deaf: false };
    this.links.add(link);
    for (const socket of [client, server])
      socket
        .on('error', () => end(link))
        .on('close', () => {
          end(link);
          this.links.delete(link);
        });
    client.on('data', (bytes) => {
      link.subscribed ||= /\r\nsubscribe\r\n/i.test(bytes.toString('latin1'));
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (this.isLosing && link.subscribed) link.deaf = true;
      else client.write(bytes);
    });
  }
}

function end({ client, server }: Link): void {
  client.destroy();
  server.destroy();
}
