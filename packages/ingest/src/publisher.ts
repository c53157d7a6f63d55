import { ERRORS, type ErrorCode, type PublishTarget } from '@ringway/protocol';
import { type PublishOptions, type PublishResult, PushError, rawJson } from '@ringway/push';
import type { Mapped } from './mapping.ts';
import type { Refusal } from './port.ts';
import { jitterMs, pause, type RetryBounds } from './retry.ts';

/** As much of the push SDK as is needed. */
export interface Push {
  publish(to: PublishTarget, data: unknown, options: PublishOptions): Promise<PublishResult>;
}

/** What became of a message. `abandoned`: the process stops, and nobody knows. */
export type PublishOutcome =
  | { readonly kind: 'published' | 'duplicate' | 'abandoned' }
  | ({ readonly kind: 'refused' } & Refusal);

export interface PublisherInit {
  readonly push: Push;
  readonly random: () => number;
  /** A publish is given up, and tried again with the same id. */
  retrying(code: string, error: unknown, message: Mapped): void;
}

const RETRY: RetryBounds = { baseMs: 200, capMs: 10_000 };

/** Nothing is wrong with the message, though nothing like it will be taken before somebody has changed something. */
const NOT_THE_MESSAGE = new Set(['unauthenticated', 'bad_option', 'closed']);

/** Publishes one message until it is stored or refused for good, however long that takes. */
export class Publisher {
  readonly #init: PublisherInit;

  constructor(init: PublisherInit) {
    this.#init = init;
  }

  /** Never rejects. */
  async publish(message: Mapped, signal: AbortSignal): Promise<PublishOutcome> {
    const { push, random, retrying } = this.#init;
    const data = rawJson(message.data);
    let { to } = message;
    let duplicate = true;
    let refusal: Refusal | undefined;
    for (let failures = 1; !signal.aborted; failures++) {
      const sent = await attempt(push, to, data, message.id);
      duplicate &&= sent.duplicate !== false;
      refusal ??= sent.refusal;
      if (sent.again === undefined) {
        if (refusal) return { kind: 'refused', ...refusal };
        return { kind: duplicate ? 'duplicate' : 'published' };
      }
      if (signal.aborted) break;
      to = sent.again.to;
      retrying(sent.again.code, sent.again.error, message);
      const wait = Math.max(sent.again.afterMs, jitterMs(failures, RETRY, random));
      await pause(wait, signal);
    }
    return { kind: 'abandoned' };
  }
}

/** What one try came to: a part of a list can be stored, a part refused for good, and the rest be tried again. */
interface Sent {
  /** Whether what is stored was there before; undefined where nothing was answered. */
  readonly duplicate?: boolean;
  readonly refusal?: Refusal;
  readonly again?: {
    readonly to: PublishTarget;
    readonly code: string;
    readonly afterMs: number;
    readonly error: unknown;
  };
}

async function attempt(push: Push, to: PublishTarget, data: unknown, id: string): Promise<Sent> {
  let result: PublishResult;
  try {
    result = await push.publish(to, data, { id });
  } catch (error) {
    const code = error instanceof PushError ? error.code : 'internal';
    if (error instanceof PushError && !error.retryable && !NOT_THE_MESSAGE.has(code)) {
      return { refusal: { reason: code, detail: error.message } };
    }
    const afterMs = (error instanceof PushError && error.retryAfterMs) || 0;
    return { again: { to, code, afterMs, error } };
  }
  if (result.results === undefined) return { duplicate: result.duplicate === true };
  const failed = result.results.filter(({ error }) => error !== undefined);
  const users = failed.filter(({ error }) => mayPass(error!.code));
  const refused = failed.filter(({ error }) => !mayPass(error!.code));
  const [first] = refused;
  const [open] = users;
  return {
    duplicate: result.results.every((one) => one.duplicate === true),
    ...(first?.error && {
      refusal: {
        reason: first.error.code,
        detail: `refused for ${refused.length} of ${result.results.length} users, the first ${first.to}: ${first.error.message}`,
      },
    }),
    ...(open?.error && {
      again: {
        to: { users: users.map((one) => one.to) },
        code: open.error.code,
        afterMs: 0,
        error: new Error(open.error.message),
      },
    }),
  };
}

function mayPass(code: ErrorCode): boolean {
  return ERRORS[code].retryable || NOT_THE_MESSAGE.has(code);
}
