import { after, fullJitter } from '@ringway/link';
import type { ErrorFrame, PublishedFrame, PublishTarget } from '@ringway/protocol';
import { type Deferred, deferred } from './deferred.ts';
import { FrameTooBigError, PublishRefusedError, PublishTimeoutError, QueueFullError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import { Pacer } from './pacer.ts';
import {
  byteLength,
  type Published,
  type PublishOptions,
  publishedFrom,
  publishText,
  randomId,
  targets,
} from './publication.ts';

/** Waits before a refused publish is sent again. */
const RETRY = fullJitter({ baseMs: 100, capMs: 5_000 });

interface Entry {
  readonly id: string;
  readonly to: PublishTarget;
  readonly text: string;
  readonly ephemeral: boolean;
  readonly result: Deferred<Published>;
  readonly cancelDeadline: () => void;
  attempts: number;
  /** Set while it waits after a refusal that may not last. */
  cancelRetry?: (() => void) | undefined;
  /** The last such refusal. */
  refusal?: PublishRefusedError;
}

type OutboxOptions = Pick<ResolvedOptions, 'clock' | 'random' | 'maxQueued' | 'publishTimeoutMs'>;

/**
 * Publishes that wait for an answer, in the order in which they were made. What a connection left unanswered is sent
 * again on the next one, before anything newer; what was refused for the moment holds back what was published to the
 * same channel after it. A repeat does no harm: it has the same id.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** False when there is no connection. */
  readonly #send: (text: string) => boolean;
  readonly #pacer: Pacer;
  /** All that have no answer, in order of publishing. */
  readonly #entries = new Map<string, Entry>();
  /** Those of them that are to be sent, in the same order. */
  #unsent = new Set<Entry>();
  #frameBytes = Number.POSITIVE_INFINITY;
  #open = false;
  #cancelPaced: (() => void) | undefined;

  constructor(options: OutboxOptions, send: (text: string) => boolean) {
    this.#options = options;
    this.#send = send;
    this.#pacer = new Pacer(options.clock);
  }

  /** @throws TypeError | QueueFullError | FrameTooBigError | PublishRefusedError, at once */
  publish(to: PublishTarget, data: unknown, options: PublishOptions): Promise<Published> {
    const { clock, maxQueued, publishTimeoutMs } = this.#options;
    const { id = randomId(), ephemeral = false, timeoutMs = publishTimeoutMs } = options;
    const text = this.#fitting(publishText(to, data, id, ephemeral));
    const same = this.#entries.get(id);
    if (same?.text === text) return same.result.promise;
    if (same) throw new PublishRefusedError(id, to, 'id_conflict', 'the id is in use with other data', false);
    if (this.#entries.size >= maxQueued) throw new QueueFullError(maxQueued);
    const entry: Entry = {
      id,
      to,
      text,
      ephemeral,
      result: deferred(),
      cancelDeadline: after(clock, timeoutMs, () => {
        this.#settle(entry).reject(new PublishTimeoutError(id, to, { cause: entry.refusal }));
        this.#pump();
      }),
      attempts: 0,
    };
    this.#entries.set(id, entry);
    this.#unsent.add(entry);
    this.#pump();
    return entry.result.promise;
  }

  /** A publish that asks for no answer: now, or false. @throws FrameTooBigError */
  sendOnce(to: PublishTarget, data: unknown): boolean {
    const text = this.#fitting(publishText(to, data, undefined, true));
    this.#pacer.take();
    return this.#send(text);
  }

  /** A session stands. What is unanswered is sent, and again; only ephemeral ones are not repeated. */
  connected(limits: { readonly frameBytes: number; readonly publishesPerSecond: number }): void {
    this.#frameBytes = limits.frameBytes;
    this.#pacer.start(limits.publishesPerSecond);
    this.#open = true;
    for (const entry of this.#entries.values()) {
      try {
        this.#fitting(entry.text);
      } catch (error) {
        this.#settle(entry).reject(error as FrameTooBigError);
      }
    }
    this.#queue(({ ephemeral }) => !ephemeral);
    this.#pump();
  }

  disconnected(): void {
    this.#open = false;
    this.#cancelPaced?.();
    for (const entry of this.#entries.values()) {
      if (entry.ephemeral && !this.#unsent.has(entry))
        this.#refuse(entry, 'unknown', 'the connection ended', true);
    }
  }

  published(frame: PublishedFrame): void {
    const entry = this.#entries.get(frame.id);
    if (!entry) return;
    this.#settle(entry).resolve(publishedFrom(frame));
    this.#pump();
  }

  /** An answer that refuses; false when it answers no publish of ours. */
  refused({ id = '', code, message, retryable, retryAfterMs = 0 }: ErrorFrame): boolean {
    const { clock, random } = this.#options;
    const entry = this.#entries.get(id);
    if (!entry) return false;
    if (retryable && !entry.ephemeral) {
      entry.refusal = new PublishRefusedError(id, entry.to, code, message, retryable);
      entry.cancelRetry?.();
      entry.cancelRetry = after(clock, retryAfterMs + RETRY(entry.attempts++, random()), () => {
        entry.cancelRetry = undefined;
        this.#pump();
      });
      this.#queue((other) => other === entry);
    } else {
      this.#refuse(entry, code, message, retryable);
      this.#pump();
    }
    return true;
  }

  /** Nothing more will be sent: everything that waits is rejected. */
  fail(error: Error): void {
    this.#open = false;
    for (const entry of this.#entries.values()) this.#settle(entry).reject(error);
  }

  /** Sends what may be sent, in order. */
  #pump(): void {
    const held = new Set<string>();
    for (const entry of this.#unsent) {
      const channels = targets(entry.to);
      if (entry.cancelRetry || channels.some((channel) => held.has(channel))) {
        for (const channel of channels) held.add(channel);
        continue;
      }
      const waitMs = this.#pacer.waitMs();
      if (this.#open && waitMs > 0) {
        this.#cancelPaced?.();
        this.#cancelPaced = after(this.#options.clock, waitMs, () => this.#pump());
        return;
      }
      if (!this.#open || !this.#send(entry.text)) return;
      this.#pacer.take();
      this.#unsent.delete(entry);
    }
  }

  /** These are to be sent too, each in its place. */
  #queue(these: (entry: Entry) => boolean): void {
    this.#unsent = new Set([...this.#entries.values()].filter((one) => this.#unsent.has(one) || these(one)));
  }

  #refuse(entry: Entry, code: ErrorFrame['code'], message: string, retryable: boolean): void {
    this.#settle(entry).reject(new PublishRefusedError(entry.id, entry.to, code, message, retryable));
  }

  /** Takes the entry out, to be resolved or rejected. */
  #settle(entry: Entry): Deferred<Published> {
    entry.cancelDeadline();
    entry.cancelRetry?.();
    this.#entries.delete(entry.id);
    this.#unsent.delete(entry);
    return entry.result;
  }

  /** @throws FrameTooBigError */
  #fitting(text: string): string {
    // no character takes more than three bytes of UTF-8 for each unit of UTF-16
    const bytes = text.length * 3 > this.#frameBytes ? byteLength(text) : 0;
    if (bytes > this.#frameBytes) throw new FrameTooBigError(bytes, this.#frameBytes);
    return text;
  }
}
