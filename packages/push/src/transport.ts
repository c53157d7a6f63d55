import { Agent, type Dispatcher, errors, request } from 'undici';

/** Trust and identity for https; all PEM texts. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * What a request came to. `refused`: no connection, so nothing was sent. `unanswered`: it was, or may have been, sent.
 */
export type Reply =
  | { readonly kind: 'refused'; readonly cause: unknown }
  | { readonly kind: 'unanswered'; readonly cause: unknown }
  | { readonly kind: 'answer'; readonly status: number; readonly text: string };

/** What a request for a stream came to: an answer that is none, or the stream, in blocks. Rejects when there is no answer. */
export type StreamReply =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string }
  | { readonly kind: 'stream'; readonly blocks: AsyncIterable<string> };

export interface StreamCall {
  readonly url: string;
  readonly token: string;
  readonly signal: AbortSignal;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly token?: string;
  /** JSON text. */
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 2_000;
/** A stream that says nothing for so long, not even that it lives, has ended without a sign. */
const QUIET_MS = 40_000;
/** Longest block of a stream: no server can fill a backend's memory. */
const MAX_BLOCK = 64 * 1024;
/** An answer's size is bounded, so that no server can fill a backend's memory. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Errors of `connect(2)` and of the handshake after it: the request itself had not been written. */
const REFUSED = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]);

/** Keep-alive connections to nodes and locators. Never rejects: a failure is a reply that says whether anything was sent. */
export class Transport {
  readonly #agent: Agent;
  /** For what has no end, and so no greatest size. */
  readonly #streams: Agent;

  constructor(tls: TlsOptions = {}) {
    const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS };
    this.#streams = new Agent({ connect, bodyTimeout: QUIET_MS, headersTimeout: QUIET_MS });
    this.#agent = new Agent({
      connect,
      keepAliveTimeout: 20_000,
      // one request a connection: a later one must not fail with the one before it
      pipelining: 1,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  async call(call: Call): Promise<Reply> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    if (call.token !== undefined) headers['authorization'] = `Bearer ${call.token}`;
    const timeout = AbortSignal.timeout(call.timeoutMs);
    const options: Dispatcher.RequestOptions & { dispatcher: Dispatcher } = {
      origin: '',
      path: '',
      method: call.method,
      headers,
      dispatcher: this.#agent,
      signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
      ...(call.body !== undefined && { body: call.body }),
    };
    try {
      const { origin: _origin, path: _path, ...rest } = options;
      const answer = await request(call.url, rest);
      return { kind: 'answer', status: answer.statusCode, text: await answer.body.text() };
    } catch (cause) {
      return { kind: neverSent(cause) ? 'refused' : 'unanswered', cause };
    }
  }

  /** Server-sent events, block by block as they come. */
  async stream({ url, token, signal }: StreamCall): Promise<StreamReply> {
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(url, { headers, signal, dispatcher: this.#streams });
    if (statusCode !== 200) return { kind: 'answer', status: statusCode, text: await body.text() };
    return { kind: 'stream', blocks: blocksOf(body) };
  }

  async close(): Promise<void> {
    await this.#streams.destroy();
    await this.#agent.destroy();
  }
}

/** What stands between empty lines. */
async function* blocksOf(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    if (text.length > MAX_BLOCK) return;
    yield* blocks;
  }
}

function neverSent(cause: unknown): boolean {
  if (cause instanceof errors.ConnectTimeoutError) return true;
  if (!(cause instanceof Error)) return false;
  const { code } = cause as { readonly code?: unknown };
  // a DOMException (the time is up) has a number
  if (typeof code !== 'string') return false;
  // several addresses tried: refused when each of them was
  if (cause instanceof AggregateError) return cause.errors.every(neverSent);
  return (
    REFUSED.has(code) || code.startsWith('ERR_TLS') || code.includes('CERT') || code.startsWith('ERR_SSL')
  );
}
