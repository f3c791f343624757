import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A Sentinel that names whatever master it is told to, and has nothing to say about anything else. */
export class FakeSentinel {
  private readonly sockets = new Set<Socket>();
  private readonly subscribers = new Set<Socket>();
  /** Who asks for the master is told when this resolves. */
  beforeAnswer = (): Promise<void> => Promise.resolve();

  private constructor(
    private readonly listener: Server,
    public master: { host: string; port: number },
  ) {
    listener.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.forget(socket));
      socket.on('data', (bytes) => {
        for (const command of commandsIn(bytes.toString())) this.hear(command, socket);
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

  /** How many listen for a change of the master. */
  get listeners(): number {
    return this.subscribers.size;
  }

  /** Names another master from now on, and tells who listens. */
  switchTo(master: { host: string; port: number }): void {
    this.master = master;
    for (const socket of this.subscribers)
      socket.write(array('message', '+switch-master', 'main 127.0.0.1 1 127.0.0.1 2'));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private forget(socket: Socket): void {
    this.sockets.delete(socket);
    this.subscribers.delete(socket);
  }

  private hear(command: readonly string[], socket: Socket): void {
    const [name, sub] = command;
    if (name === 'subscribe') this.subscribers.add(socket);
    if (sub !== 'get-master-addr-by-name') return void socket.write(this.answer(command));
    void this.beforeAnswer().then(() => socket.writable && socket.write(this.answer(command)));
  }

  private answer([name, sub]: readonly string[]): string {
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
