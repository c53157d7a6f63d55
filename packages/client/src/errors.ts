import { closeRule, type ErrorCode, type PublishTarget } from '@ringway/protocol';

// Fields are declared only, since a constructor sets each: initialising them first would weigh in every browser.

/** What every error of the SDK has: a `name` and a `code` that stay the same, whatever the message says. */
export abstract class RingwayError extends Error {
  abstract readonly code: string;
}

/** A publish had no answer by its deadline. It may have arrived: publishing again with the same `id` is safe. */
export class PublishTimeoutError extends RingwayError {
  override readonly name = 'PublishTimeoutError';
  readonly code = 'timeout';
  declare readonly id: string;
  declare readonly to: PublishTarget;

  constructor(id: string, to: PublishTarget, options?: ErrorOptions) {
    super(`no answer to publish ${id}`, options);
    this.id = id;
    this.to = to;
  }
}

/** The server refused a publish; `code` says why, as in the protocol's table of errors. */
export class PublishRefusedError extends RingwayError {
  override readonly name = 'PublishRefusedError';
  declare readonly code: ErrorCode;
  declare readonly id: string;
  declare readonly to: PublishTarget;
  declare readonly retryable: boolean;

  constructor(id: string, to: PublishTarget, code: ErrorCode, message: string, retryable: boolean) {
    super(`publish ${id}: ${message}`);
    this.id = id;
    this.to = to;
    this.code = code;
    this.retryable = retryable;
  }
}

/** A frame larger than the node takes; it was not sent. Sizes in bytes of UTF-8. */
export class FrameTooBigError extends RingwayError {
  override readonly name = 'FrameTooBigError';
  readonly code = 'frame_too_big';
  declare readonly bytes: number;
  declare readonly limit: number;

  constructor(bytes: number, limit: number) {
    super(`a frame of ${bytes} bytes, of which the node takes ${limit}`);
    this.bytes = bytes;
    this.limit = limit;
  }
}

/** As many publishes wait for an answer as `maxQueued` allows. */
export class QueueFullError extends RingwayError {
  override readonly name = 'QueueFullError';
  readonly code = 'queue_full';
  declare readonly limit: number;

  constructor(limit: number) {
    super(`${limit} publishes (maxQueued) wait already`);
    this.limit = limit;
  }
}

/** The client is closed: by `close()`, or for good by the server or the locator (`cause` says how). */
export class ClosedError extends RingwayError {
  override readonly name = 'ClosedError';
  readonly code = 'closed';
}

/** A join was refused; `code` says why, as in the protocol's table of errors. */
export class JoinRefusedError extends RingwayError {
  override readonly name = 'JoinRefusedError';
  declare readonly code: ErrorCode | 'timeout' | 'left';
  declare readonly channel: string;

  constructor(channel: string, code: ErrorCode | 'timeout' | 'left', message: string = code) {
    super(`join ${channel}: ${message}`);
    this.channel = channel;
    this.code = code;
  }
}

/** The server ended the session for good. `code` is the close code's name in the protocol's table, `closed` if it has none. */
export class SessionEndedError extends RingwayError {
  override readonly name = 'SessionEndedError';
  declare readonly code: string;
  declare readonly closeCode: number;
  declare readonly reason: string;

  constructor(closeCode: number, reason: string) {
    const { name } = closeRule(closeCode);
    super(`${name} ${reason}`);
    this.code = name;
    this.closeCode = closeCode;
    this.reason = reason;
  }
}

/** `/route` gave no node. The client goes on trying unless `terminal`. */
export class RouteError extends RingwayError {
  override readonly name = 'RouteError';
  /** The `code` of the locator's answer; `unreachable` where no locator answered. */
  declare readonly code: ErrorCode | 'unreachable';
  /** HTTP status; 0 where there was no answer. */
  declare readonly status: number;
  declare readonly terminal: boolean;
  /** How long the locator asks to wait, in milliseconds. */
  declare readonly retryAfterMs: number;

  constructor(
    code: ErrorCode | 'unreachable',
    status: number,
    message: string,
    more: { terminal?: boolean; retryAfterMs?: number } & ErrorOptions,
  ) {
    super(`/route: ${message}`, more);
    this.code = code;
    this.status = status;
    this.terminal = more.terminal ?? false;
    this.retryAfterMs = more.retryAfterMs ?? 0;
  }
}

/** `getToken` failed (`cause`). The client asks it again after a wait. */
export class TokenError extends RingwayError {
  override readonly name = 'TokenError';
  readonly code = 'token';
}

/** The node complained about something that was no publish and no join of ours; the session goes on. */
export class NodeError extends RingwayError {
  override readonly name = 'NodeError';
  declare readonly code: ErrorCode;
  declare readonly channel: string | undefined;

  constructor(code: ErrorCode, message: string, channel?: string) {
    super(message);
    this.code = code;
    this.channel = channel;
  }
}
