import { HTTP, type StreamedState } from '@ringway/protocol';
import { failureOf, toError } from './delivery-answer.ts';
import { PushError } from './errors.ts';
import { endpoint, type NodeTokens, type PushMember } from './port.ts';
import type { Transport } from './transport.ts';

export interface MemberStreamInit {
  readonly member: PushMember;
  readonly tokens: NodeTokens;
  readonly transport: Transport;
  /** With `?`, or empty. */
  readonly query: string;
  readonly random: () => number;
  state(state: StreamedState): void;
  /** Its snapshot is complete. */
  synced(): void;
  /** It has ended, or could not be opened; it is tried again. */
  broken(problem: PushError | undefined): void;
}

const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 2_000;

/** The stream of presence events of one node, opened again whenever it ends, until `close`. */
export class MemberStream {
  readonly member: PushMember;
  /** It stands, and has told all that was so when it began. */
  isSynced = false;
  readonly #init: MemberStreamInit;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  constructor(init: MemberStreamInit) {
    this.#init = init;
    this.member = init.member;
    this.#done = this.#run();
  }

  close(): Promise<void> {
    this.#abort.abort();
    return this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      const problem = await this.#read(signal);
      failures = this.isSynced ? 0 : failures + 1;
      this.isSynced = false;
      if (signal.aborted) return;
      this.#init.broken(problem);
      const cap = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures, 10));
      await pause(cap * (0.5 + this.#init.random() / 2), signal);
    }
  }

  /** One connection, to its end. */
  async #read(signal: AbortSignal): Promise<PushError | undefined> {
    const { member, tokens, transport, query } = this.#init;
    try {
      const url = endpoint(member, HTTP.presenceEvents) + query;
      const token = await tokens.tokenFor(member.id);
      const reply = await transport.stream({ url, token, signal });
      if (reply.kind === 'answer') {
        const failure = failureOf(reply.status, reply.text);
        if (failure.code !== 'unauthenticated') return toError(failure, {});
        // a token that was refused once may have been made for an earlier state of the node
        tokens.forget(member.id);
        return undefined;
      }
      for await (const block of reply.blocks) {
        if (signal.aborted) return undefined;
        this.#take(block);
      }
      return undefined;
    } catch (cause) {
      return cause instanceof PushError ? cause : undefined;
    }
  }

  #take(block: string): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? [];
    if (name === 'state' && data !== undefined) this.#init.state(JSON.parse(data) as StreamedState);
    else if (name === 'synced') {
      this.isSynced = true;
      this.#init.synced();
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
