import { ERRORS, type ErrorCode, HTTP, type PublishAnswer, type TargetResult } from '@ringway/protocol';
import { type Failure, readAnswers, toError } from './delivery-answer.ts';
import { PushError, UnknownOutcomeError } from './errors.ts';
import type { Homes } from './homes.ts';
import { endpoint, type NodeTokens, type PushMember, type PushRing } from './port.ts';
import type { Publication, TargetOutcome } from './publication.ts';
import type { Transport } from './transport.ts';

/** Some channels of one publication that go to one node. */
interface Parcel {
  readonly publication: Publication;
  readonly channels: readonly string[];
  attempts: number;
}

export interface DeliveryInit {
  readonly homes: Homes;
  readonly tokens: NodeTokens;
  readonly transport: Transport;
  /** How long one POST may take before it counts as not answered, milliseconds. */
  readonly attemptTimeoutMs: number;
  /** A number of [0, 1). */
  readonly random: () => number;
  /** Called when a publication is done with a channel, whatever became of it. */
  readonly done: (channel: string) => void;
}

const MAX_PARCELS = 256;
const MAX_USERS = 1_000;
const MAX_BODY_CHARS = 256 * 1024;
const PAUSE_BASE_MS = 25;
const PAUSE_CAP_MS = 1_000;

/** Brings publications to the homes of their channels: one POST a home, again until each is answered or out of time. */
export class Delivery {
  readonly #init: DeliveryInit;

  constructor(init: DeliveryInit) {
    this.#init = init;
  }

  /** Never rejects: what becomes of a publication is told to the publication. */
  async deliver(publications: readonly Publication[]): Promise<void> {
    await this.#deliver(
      publications.map((publication) => ({ publication, channels: publication.channels, attempts: 0 })),
    );
  }

  async #deliver(parcels: readonly Parcel[]): Promise<void> {
    const open = parcels.filter((parcel) => !this.#abandoned(parcel));
    if (open.length === 0) return;
    const { homes } = this.#init;
    const ring = homes.ring();
    if (ring instanceof PushError) {
      for (const parcel of open) this.#withoutRing(parcel, ring);
      homes.refresh();
      await this.#again(open);
      return;
    }
    await Promise.all(this.#byHome(ring, open).map(([member, parcels]) => this.#toHome(member, parcels)));
  }

  #byHome(ring: PushRing, parcels: readonly Parcel[]): (readonly [PushMember, readonly Parcel[]])[] {
    const homes = new Map<string, readonly [PushMember, Parcel[]]>();
    for (const { publication, channels, attempts } of parcels) {
      const split = new Map<string, string[]>();
      for (const channel of channels) {
        const member = this.#init.homes.of(ring, channel);
        if (!homes.has(member.id)) homes.set(member.id, [member, []]);
        const list = split.get(member.id);
        if (list) list.push(channel);
        else split.set(member.id, [channel]);
      }
      for (const [id, list] of split) {
        for (let i = 0; i < list.length; i += MAX_USERS) {
          homes.get(id)?.[1].push({ publication, channels: list.slice(i, i + MAX_USERS), attempts });
        }
      }
    }
    return [...homes.values()];
  }

  /** Chunks go one after the other, so that what comes later in a channel never overtakes. */
  async #toHome(member: PushMember, parcels: readonly Parcel[]): Promise<void> {
    let chunk: Parcel[] = [];
    let bodies: string[] = [];
    let size = 0;
    for (const parcel of parcels) {
      const body = parcel.publication.body(parcel.channels);
      if (chunk.length === MAX_PARCELS || (chunk.length > 0 && size + body.length > MAX_BODY_CHARS)) {
        await this.#post(member, chunk, bodies);
        chunk = [];
        bodies = [];
        size = 0;
      }
      chunk.push(parcel);
      bodies.push(body);
      size += body.length;
    }
    await this.#post(member, chunk, bodies);
  }

  async #post(member: PushMember, parcels: readonly Parcel[], bodies: readonly string[]): Promise<void> {
    const { homes, tokens, transport, attemptTimeoutMs } = this.#init;
    const retry: Parcel[] = [];
    let token: string;
    try {
      token = await tokens.tokenFor(member.id);
    } catch (cause) {
      for (const parcel of parcels) this.#refused(parcel, cause, retry);
      return this.#again(retry);
    }
    const url = endpoint(member, HTTP.publish);
    const body = `[${bodies.join(',')}]`;
    const reply = await transport.call({ method: 'POST', url, token, body, timeoutMs: attemptTimeoutMs });
    if (reply.kind !== 'answer') {
      homes.suspect(member.id);
      for (const parcel of parcels) {
        if (reply.kind === 'refused') this.#refused(parcel, reply.cause, retry);
        else this.#unanswered(parcel, reply.cause, retry);
      }
      return this.#again(retry);
    }
    const answers = readAnswers(reply.status, reply.text, parcels.length);
    if ('code' in answers && answers.code === 'unauthenticated') tokens.forget(member.id);
    parcels.forEach((parcel, i) => {
      const answer = 'code' in answers ? { id: parcel.publication.id, error: answers } : answers[i];
      if (answer !== undefined) this.#answered(parcel, answer, retry);
    });
    return this.#again(retry);
  }

  #withoutRing(parcel: Parcel, problem: PushError): void {
    const { publication } = parcel;
    publication.refused(problem);
    if (!problem.retryable) publication.fail(problem);
  }

  /** Nothing was sent: again, elsewhere. */
  #refused(parcel: Parcel, cause: unknown, retry: Parcel[]): void {
    const { publication } = parcel;
    publication.refused(cause);
    if (cause instanceof PushError && !cause.retryable)
      this.#settle(publication, parcel.channels, { error: cause });
    else retry.push(parcel);
  }

  /** It may have been stored: again with the same id; what is ephemeral is sent at most once. */
  #unanswered(parcel: Parcel, cause: unknown, retry: Parcel[]): void {
    const { publication, channels } = parcel;
    publication.refused(cause);
    for (const channel of channels) publication.unanswered(channel);
    if (!publication.ephemeral) {
      retry.push(parcel);
      return;
    }
    const { id } = publication;
    const error = new UnknownOutcomeError('not answered; an ephemeral message is sent at most once', {
      id,
      cause,
    });
    this.#settle(publication, channels, { error });
  }

  #answered(parcel: Parcel, answer: PublishAnswer, retry: Parcel[]): void {
    const { publication, channels, attempts } = parcel;
    if (answer.error !== undefined) {
      // a token that was refused once may have been made for an earlier state of the node
      const secondTry = answer.error.code === 'unauthenticated' && attempts === 0;
      if (secondTry || this.#mayRetry(publication, channels, answer.error)) retry.push(parcel);
      else
        this.#settle(publication, channels, {
          error: toError(answer.error, { id: publication.id, to: channels[0] }),
        });
      return;
    }
    if (!publication.isList) {
      this.#settle(publication, channels, told(answer));
      return;
    }
    const again: string[] = [];
    channels.forEach((channel, i) => {
      const result = answer.results?.[i] ?? { to: channel, error: MISSING };
      const failure = result.error && { ...result.error, retryable: isRetryable(result.error.code) };
      if (failure === undefined) this.#settle(publication, [channel], told(result));
      else if (this.#mayRetry(publication, [channel], failure)) again.push(channel);
      else
        this.#settle(publication, [channel], {
          error: toError(failure, { id: publication.id, to: channel }),
        });
    });
    if (again.length > 0) retry.push({ publication, channels: again, attempts });
  }

  #mayRetry(publication: Publication, channels: readonly string[], failure: Failure): boolean {
    const maybeStored = failure.code === 'unknown' || failure.code === 'internal';
    if (!failure.retryable || (publication.ephemeral && maybeStored)) return false;
    publication.refused(toError(failure, { id: publication.id, to: channels[0] }));
    if (maybeStored) for (const channel of channels) publication.unanswered(channel);
    return true;
  }

  #settle(publication: Publication, channels: readonly string[], outcome: TargetOutcome): void {
    for (const channel of channels) {
      publication.outcome(channel, outcome);
      this.#init.done(channel);
    }
  }

  /** Whether nobody waits for it any more; its channels are then free. */
  #abandoned({ publication, channels }: Parcel): boolean {
    if (!publication.settled) return false;
    for (const channel of channels) this.#init.done(channel);
    return true;
  }

  /** The first further attempt comes at once: it goes to another node. Later ones wait, with full jitter. */
  async #again(parcels: readonly Parcel[]): Promise<void> {
    if (parcels.length === 0) return;
    let most = 0;
    for (const parcel of parcels) most = Math.max(most, ++parcel.attempts);
    if (most > 1) {
      const cap = Math.min(PAUSE_CAP_MS, PAUSE_BASE_MS * 2 ** Math.min(most, 10));
      await new Promise((resolve) => setTimeout(resolve, cap * this.#init.random()));
    }
    await this.#deliver(parcels);
  }
}

const MISSING = { code: 'internal', message: 'the answer has no result for this user' } as const;

function isRetryable(code: ErrorCode): boolean {
  return ERRORS[code].retryable;
}

/** The good news of an answer. */
function told({ position, reached, duplicate }: PublishAnswer | TargetResult): TargetOutcome {
  return {
    ...(position && { position }),
    ...(reached !== undefined && { reached }),
    ...(duplicate && { duplicate }),
  };
}
