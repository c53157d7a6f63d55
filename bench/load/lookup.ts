import { connect, type Socket } from 'node:net';
import type { Lookup } from '../peers/peer.ts';

const HEAD_END = Buffer.from('\r\n\r\n');

/** One keep-alive connection that asks for clients' URLs, one at a time. */
export class LookupConnection {
  readonly #socket: Socket;
  readonly #head: string;
  #rest: Buffer = Buffer.alloc(0);
  #pending: { resolve: (url: string) => void; reject: (error: Error) => void } | undefined;

  constructor({ host, port, path }: Lookup) {
    this.#head = `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: `;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#pending?.reject(error));
    this.#socket.on('close', () => this.#pending?.reject(new Error('the lookup closed the connection')));
  }

  /** The `url` of the answer. */
  ask(authorization: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.write(`${this.#head}${authorization}\r\n\r\n`);
    });
  }

  end(): void {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const head = this.#rest.indexOf(HEAD_END);
    if (head < 0) return;
    const text = this.#rest.toString('latin1', 0, head);
    const start = head + HEAD_END.length;
    const end = start + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (this.#rest.length < end) return;
    const body = this.#rest.toString('utf8', start, end);
    this.#rest = this.#rest.subarray(end);
    const pending = this.#pending;
    this.#pending = undefined;
    if (text.startsWith('HTTP/1.1 200')) pending?.resolve((JSON.parse(body) as { url: string }).url);
    else pending?.reject(new Error(`lookup: ${text.split('\r\n')[0]} ${body}`));
  }
}
