import type { Position, PublishedFrame, PublishTarget, TargetResult } from '@ringway/protocol';

/** Options of one publish. */
export interface PublishOptions {
  /** Unique per user. Random where left out; the same id again is the same message. */
  readonly id?: string;
  /** Sent at most once, not stored, never retried. */
  readonly ephemeral?: boolean;
  /** Deadline in milliseconds from now. */
  readonly timeoutMs?: number;
}

/** What became of a publish. */
export interface Published {
  readonly id: string;
  /** Sessions written to: a hint, not a receipt. */
  readonly reached: number;
  /** Where it stands in its channel; absent for ephemeral ones and for lists. */
  readonly position?: Position;
  /** It had been stored before, by an earlier attempt. */
  readonly duplicate: boolean;
  /** For a list: one for each user, in the order given. Some may hold an `error`: the same id may be published again. */
  readonly results?: readonly TargetResult[];
}

/** 20 characters from 120 random bits. */
export function randomId(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(15))))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}

/** The frame's text. @throws TypeError for data that JSON has no form for */
export function publishText(to: PublishTarget, data: unknown, id?: string, ephemeral?: boolean): string {
  const json = JSON.stringify(data) as string | undefined;
  if (json === undefined) throw new TypeError('data must be something that JSON can say');
  const frame = JSON.stringify({ type: 'publish', to, id, ephemeral: ephemeral || undefined });
  return `${frame.slice(0, -1)},"data":${json}}`;
}

/** Bytes of UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The channels that a publish goes to. */
export function targets(to: PublishTarget): readonly string[] {
  return typeof to === 'string' ? [to] : to.users.map((userId) => `user:${userId}`);
}

/** The answer for the application. */
export function publishedFrom({ type: _, ...answer }: PublishedFrame): Published {
  return { duplicate: false, ...answer };
}
