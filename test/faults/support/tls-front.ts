import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import type { Certificate } from './certificates.js';

/** TLS in front of a server that has none, with a certificate that can be changed. */
export class TlsFront {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly listener: Server) {}

  static async start(
    target: { host: string; port: number },
    certificate: Certificate,
  ): Promise<TlsFront> {
    const listener = createServer({ ...certificate }, (client) => {
      const server = connect(target);
      for (const socket of [client, server]) {
        front.sockets.add(socket);
        socket
          .on('error', () => undefined)
          .on('close', () => {
            front.sockets.delete(socket);
            client.destroy();
            server.destroy();
          });
      }
      client.pipe(server).pipe(client);
    });
    const front = new TlsFront(listener);
    listener.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return front;
  }

  get url(): string {
    return `rediss://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** For connections that are made from now on; the others end. */
  show(certificate: Certificate): void {
    this.listener.setSecureContext({ ...certificate });
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
