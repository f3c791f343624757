import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A Sentinel that names whatever master it is told to, and has nothing to say about anything else. */
export class FakeSentinel {
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly listener: Server,
    public master: { host: string; port: number },
  ) {
    listener.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
      socket.on('data', (bytes) => {
        for (const command of commandsIn(bytes.toString())) socket.write(this.answer(command));
      });
    });
  }

  static async start(master: { host: string; port: number }): Promise<FakeSentinel> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new FakeSentinel(listener, master);
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.listener.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private answer([name, sub]: string[]): string {
    if (name === 'hello') return "-ERR unknown command 'HELLO'\r\n";
    if (name === 'subscribe') return array('subscribe', sub!) + ':1\r\n';
    if (sub === 'sentinels') return '*0\r\n';
    if (sub === 'get-master-addr-by-name') return array(this.master.host, `${this.master.port}`);
    return '+OK\r\n';
  }
}

function array(...items: string[]): string {
  const strings = items.map((item) => `$${item.length}\r\n${item}\r\n`).join('');
  return `*${items[0] === 'subscribe' ? 3 : items.length}\r\n${strings}`;
}

/** Whole commands arrive here in one piece, each an array of strings. */
function commandsIn(text: string): string[][] {
  return text
    .split(/\*\d+\r\n/)
    .slice(1)
    .map((command) => command.split(/\$\d+\r\n/).slice(1))
    .map((words) => words.map((word) => word.trim().toLowerCase()));
}
