import { isDeepStrictEqual } from 'node:util';
import { waitFor, type WaitForOptions } from '../support/wait-for.js';

export interface City {
  id: number;
  name: string;
  country: string;
  lat: number;
}

export interface Country {
  code: string;
  name: string;
}

/** What `Cache-Counts` says. */
export interface Counts {
  hits: number;
  misses: number;
  stale: number;
  loads: number;
  refreshes: number;
}

export interface Answer<T> {
  status: number;
  body: T;
  headers: Headers;
  counts: Counts | undefined;
}

interface Figures {
  hits: { l1: number; redis: number };
  misses: number;
  loads: number;
  degraded: number;
  pendingEvicts: number;
}

export interface Stats {
  cities: Figures;
  statistics: Figures;
  database: { statements: number; rows: number };
}

/** One who calls the sample over HTTP. */
export class Client {
  constructor(readonly url: string) {}

  async call<T>(
    method: string,
    path: string,
    body?: unknown,
    given: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: { ...given, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status, headers } = response;
    const isJson = text && headers.get('Content-Type')?.includes('json');
    return {
      status,
      headers,
      counts: countsOf(headers.get('Cache-Counts')),
      body: (isJson ? JSON.parse(text) : text) as T,
    };
  }

  get<T>(path: string, headers?: Record<string, string>): Promise<Answer<T>> {
    return this.call<T>('GET', path, undefined, headers);
  }

  patch<T>(path: string, change: unknown): Promise<Answer<T>> {
    return this.call<T>('PATCH', path, change);
  }

  async findCity(name: string, country: string): Promise<City> {
    const { body } = await this.get<{ cities: City[] }>(`/cities?name=${name}&country=${country}`);
    if (!body.cities[0]) throw new Error(`No ${name} in ${country}`);
    return body.cities[0];
  }

  async stats(): Promise<Stats> {
    return (await this.get<Stats>('/stats')).body;
  }

  async databaseCounts(): Promise<Stats['database']> {
    return (await this.stats()).database;
  }

  /** Messages between instances arrive. */
  async untilUp(): Promise<void> {
    await waitFor(async () => {
      const { body } = await this.get<{ info: Record<string, { status: string }> }>('/health');
      return Object.values(body.info).every(({ status }) => status === 'up');
    });
  }

  /** Repeats what expects something until that holds; what it gave then. */
  async until<T>(look: () => Promise<T>, options: WaitForOptions = {}): Promise<T> {
    const held = await waitFor(async () => ({ result: await look() }), {
      timeoutMs: 20_000,
      intervalMs: 25,
      ...options,
    });
    return held.result;
  }

  /** Resolves when the stream of invalidations is open. */
  async listen(): Promise<Events> {
    const abort = new AbortController();
    const response = await fetch(`${this.url}/invalidations`, { signal: abort.signal });
    return new Events(response.body!, abort);
  }
}

/** What a page hears. */
export class Events {
  private readonly heard: unknown[] = [];
  readonly ended: Promise<void>;

  constructor(
    stream: ReadableStream<Uint8Array>,
    private readonly abort: AbortController,
  ) {
    this.ended = this.read(stream);
  }

  /** Resolves when there has been such an event. */
  async find(event: object): Promise<void> {
    await waitFor(() => this.heard.some((heard) => isDeepStrictEqual(heard, event)));
  }

  end(): void {
    this.abort.abort();
  }

  private async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    try {
      for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
        const messages = (text + chunk).split('\n\n');
        text = messages.pop()!;
        for (const message of messages) {
          const data = /^data: (.*)$/m.exec(message)?.[1];
          if (data) this.heard.push(JSON.parse(data));
        }
      }
    } catch (error) {
      if (!this.abort.signal.aborted) throw error;
    }
  }
}

function countsOf(header: string | null): Counts | undefined {
  if (header === null) return undefined;
  const pairs = header.split(', ').map((pair) => pair.split('='));
  return Object.fromEntries(
    pairs.map(([name, count]) => [name, Number(count)]),
  ) as unknown as Counts;
}
