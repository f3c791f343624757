import { Command } from 'ioredis';

/**
 * A command whose arguments are as Redis gets them, texts or bytes in one list, and whose answer is Buffers: what the client
 * does to other arguments takes longer for the many of a batch than Redis takes for the command.
 */
export class FlatCommand extends Command {
  constructor(name: string, args: readonly (string | Buffer)[]) {
    super(name, [], { replyEncoding: null });
    // Afterwards, for the client flattens and looks through what it is given.
    this.args = args as (string | Buffer)[];
  }

  /** Answers are Buffers as they came, whatever the client; one of ioredis 6 asks for this, and the `Command` of 5 has none. */
  override setReplyContext(): void {}

  override toWritable(_socket: object): string | Buffer {
    return inProtocol(this.name, this.args as (string | Buffer)[]);
  }
}

/** A list of bulk strings (https://redis.io/docs/latest/develop/reference/protocol-spec/), text as far as there is nothing else. */
function inProtocol(name: string, args: readonly (string | Buffer)[]): string | Buffer {
  const pieces: (string | Buffer)[] = [];
  let text = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`;
  for (const arg of args) {
    if (typeof arg === 'string') text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`;
    else {
      pieces.push(`${text}$${arg.length}\r\n`, arg);
      text = '\r\n';
    }
  }
  return pieces.length === 0 ? text : joined([...pieces, text]);
}

function joined(pieces: readonly (string | Buffer)[]): Buffer {
  let length = 0;
  for (const piece of pieces) length += Buffer.byteLength(piece);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces)
    at += typeof piece === 'string' ? bytes.write(piece, at) : piece.copy(bytes, at);
  return bytes;
}
