import { type Position, samePosition } from '@ringway/protocol';
import type { LocalChannel } from '../hub/local-channel.ts';
import type { History, Router } from '../router/port.ts';
import { whenever } from '../router/whenever.ts';
import { frame, messageFrame } from './frames.ts';
import type { Session } from './session.ts';

/** Messages read from the log at a time. */
const PAGE = 128;
const RETRY_MS = 250;
const DRAIN_MS = 20;

/** What a replay needs beside the session. */
export interface ReplayContext {
  readonly router: Router;
  /** Bytes waiting for a client above which no further page is read for it. */
  readonly highWaterBytes: number;
  /** Attempts to read, when the home cannot be reached, before the replay is given up. */
  readonly attempts: number;
}

/**
 * Sends a session the messages that it missed on one channel, page by page as its socket drains, and lets it rejoin the
 * live stream where the log ends. Live messages of the channel pass it by meanwhile: they are in the log.
 *
 * @param since the position that the session has, or how many of the last messages it wants.
 * @param done gets the position at which the session joined the live stream; undefined when the log could not be read.
 */
export function replay(
  context: ReplayContext,
  session: Session,
  channel: LocalChannel,
  since: Position | number,
  done: (position: Position | undefined) => void,
): void {
  const { router } = context;
  session.replaying ??= new Set();
  session.replaying.add(channel);
  let attempts = context.attempts;

  const finish = (position: Position | undefined): void => {
    session.replaying?.delete(channel);
    if (session.replaying?.size === 0) session.replaying = undefined;
    done(position);
  };

  const later = (next: () => void, ms: number): void => {
    setTimeout(() => {
      if (session.state !== 'closed') next();
    }, ms).unref();
  };

  const retry = (next: () => void) => (): void => {
    if (session.state === 'closed') return;
    if (--attempts > 0) later(next, RETRY_MS);
    else finish(undefined);
  };

  const page = (at: Position | undefined, { start, messages }: History): void => {
    if (session.state === 'closed') return;
    if (at && !samePosition(start, at)) {
      session.send(frame({ type: 'gap', channel: channel.name, after: at, upTo: start }));
    }
    let last = start;
    for (const message of messages) {
      session.send(messageFrame(channel.quoted, message));
      last = message.position ?? last;
    }
    if (messages.length === 0 || (channel.position && samePosition(last, channel.position))) finish(last);
    else drained(last);
  };

  const drained = (at: Position): void => {
    if (session.waitingBytes > context.highWaterBytes) later(() => drained(at), DRAIN_MS);
    else read(at);
  };

  const read = (at: Position): void => {
    if (channel.position && samePosition(at, channel.position)) finish(at);
    else
      whenever(
        router.history(channel.name, at, PAGE),
        (history) => page(at, history),
        retry(() => read(at)),
      );
  };

  const recent = (count: number): void => {
    whenever(
      router.recent(channel.name, count),
      (history) => page(undefined, history),
      retry(() => recent(count)),
    );
  };

  if (typeof since === 'number') recent(since);
  else read(since);
}
