import { type Position, samePosition } from '@ringway/protocol';
import type { LocalChannel } from '../hub/local-channel.ts';
import type { Delivery, History, LocalChannels, Router } from '../router/port.ts';
import { whenever } from '../router/whenever.ts';
import { Turns } from '../turns.ts';
import { frame, messageFrame } from './frames.ts';
import type { Session } from './session.ts';

/** Messages read from the log at a time. */
const PAGE = 128;
/** So many are held for one client, whatever it asks for: one that takes nothing keeps them all. */
const PAGES_AT_ONCE = 4;
const RETRY_MS = 250;
const DRAIN_MS = 20;
/** So often the end of the log is looked at again while the live stream has not come to it. */
const MAX_LOOKS = 50;
/** Where the log holds more than the live stream has brought, that is told after so many looks, and again after as many. */
const LOOKS_TO_TELL = 10;

/** What a replay needs beside the session. */
export interface ReplayContext {
  readonly router: Router;
  /** Is told where the log has come to when the live stream has not. */
  readonly hub: Pick<LocalChannels, 'continueFrom'>;
  /** Bytes waiting for a client above which no further page is read for it. */
  readonly highWaterBytes: number;
  /** Attempts to read, when the home cannot be reached, before the replay is given up. */
  readonly attempts: number;
}

/**
 * Sends a session the messages that it missed on one channel, page by page as its socket drains, and lets it rejoin the
 * live stream where the log ends. Live messages of the channel pass it by meanwhile: they are in the log.
 *
 * What a client says of a channel that others share is not believed: it could make everyone lose their place.
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
  const claimed = channel === session.channels[0] ? undefined : 'claimed';
  session.replaying ??= new Map();
  session.replaying.set(channel, (session.replaying.get(channel) ?? 0) + 1);
  session.pageTurns ??= new Turns(PAGES_AT_ONCE);
  const turns = session.pageTurns;
  let attempts = context.attempts;
  let looks = MAX_LOOKS;

  const finish = (position: Position | undefined): void => {
    const others = (session.replaying?.get(channel) ?? 1) - 1;
    if (others > 0) session.replaying?.set(channel, others);
    else session.replaying?.delete(channel);
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
    turns.done();
  };

  const page = (at: Position | undefined, { start, messages, end }: History): void => {
    if (session.state === 'closed' || left()) return;
    if (at && !samePosition(start, at)) {
      session.send(frame({ type: 'gap', channel: channel.name, after: at, upTo: start }));
    }
    write(messages, 0, messages.length > 0 ? start : end);
  };

  /** The client has left the channel meanwhile: it is not to be sent anything more of it. */
  const left = (): boolean => {
    if (channel.has(session)) return false;
    finish(channel.position);
    turns.done();
    return true;
  };

  /** As much as the client takes now, the rest as its socket drains: what it missed may be more than may wait for it. */
  const write = (messages: readonly Delivery[], from: number, before: Position): void => {
    let last = before;
    for (let i = from; i < messages.length; i++) {
      if (session.waitingBytes > context.highWaterBytes) {
        return drained(() => {
          if (!left()) write(messages, i, last);
        });
      }
      const message = messages[i] as Delivery;
      session.send(messageFrame(channel.messageHead, message));
      last = message.position ?? last;
    }
    if (channel.isAt(last)) finish(channel.position);
    else if (messages.length > 0) drained(() => read(last));
    // live messages that came since the log was read have passed by, or the hub is reading a hole itself
    else if (looks-- > 0) {
      // or it has missed them without a sign, as the client has not, which had them elsewhere
      if (looks % LOOKS_TO_TELL === 0) context.hub.continueFrom(channel.name, last, false);
      later(() => read(last), looks === MAX_LOOKS - 1 ? 0 : DRAIN_MS);
    } else rejoin(last);
    turns.done();
  };

  /** The log does not come to where the live stream is: what lies between is lost to the session, and it is told so. */
  const rejoin = (last: Position): void => {
    const { position = last } = channel;
    // what the live stream brings first then the client has
    if (position.epoch === last.epoch && position.seq < last.seq) return finish(last);
    if (!samePosition(last, position)) {
      session.send(frame({ type: 'gap', channel: channel.name, after: last, upTo: position }));
    }
    finish(position);
  };

  const drained = (next: () => void): void => {
    // behind the flush of this turn
    setImmediate(() => {
      if (session.state === 'closed') return;
      if (session.waitingBytes > context.highWaterBytes) later(() => drained(next), DRAIN_MS);
      else next();
    });
  };

  const read = (at: Position): void => {
    if (channel.isAt(at)) return finish(channel.position);
    turns.take(() =>
      whenever(
        router.history(channel.name, at, PAGE, claimed),
        (history) => page(at, history),
        retry(() => read(at)),
      ),
    );
  };

  const recent = (count: number): void => {
    turns.take(() =>
      whenever(
        router.recent(channel.name, count),
        (history) => page(undefined, history),
        retry(() => recent(count)),
      ),
    );
  };

  if (typeof since === 'number') recent(since);
  else read(since);
}
