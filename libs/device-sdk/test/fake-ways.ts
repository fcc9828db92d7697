import { type IncomingHttpHeaders, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came in. */
export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** What is answered; `lost` for a request that is carried out and whose answer never comes. */
export type Given = Answered | 'lost';

interface Answered {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A refusal as a problem document. */
export const problem = (status: number, code: string, detail: string): Answered => ({ status, body: { code, detail } });

/** The error of an attempt that fails. */
export async function failure(attempt: Promise<unknown>): Promise<Error> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error('It did not fail.');
}

/** The HTTP side of a platform, on a free port, that answers as the test says. */
export class FakeWays {
  readonly asked: Asked[] = [];
  answer: (asked: Asked, index: number) => Given | Promise<Given> = () => ({ status: 404 });
  private port = 0;
  private readonly server: Server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://platform');
      const asked: Asked = {
        method: request.method ?? '',
        path: pathname,
        query: Object.fromEntries(searchParams),
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      const index = this.asked.push(asked) - 1;
      void Promise.resolve(this.answer(asked, index)).then((given) => {
        if (given === 'lost') response.destroy();
        else {
          response.writeHead(given.status, { 'content-type': 'application/json', ...given.headers });
          response.end(given.body === undefined ? undefined : JSON.stringify(given.body));
        }
      });
    });
  });

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** `POST /x` of everything that was asked. */
  get lines(): string[] {
    return this.asked.map(({ method, path }) => `${method} ${path}`);
  }

  /** Answers in turn, the last one for ever. */
  inTurn(...given: Given[]): void {
    this.answer = (_, index) => given[Math.min(index, given.length - 1)] ?? 'lost';
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const address = this.server.address();
    if (isAddress(address)) this.port = address.port;
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;
