import { CLUSTER_SENDER, innerChannel, type PresenceState, userOf } from '@ringway/protocol';
import type { LocalChannel } from '../hub/local-channel.ts';
import type { Presence } from '../router/presence/port.ts';
import { jsonToWire, quote } from '../text.ts';
import { messageFrame } from './frames.ts';
import type { Session } from './session.ts';

/** When to ask again where the home did not answer, in milliseconds. */
const AGAIN_MS = 1_000;

/**
 * Tells a session that has joined a `presence:` channel how things stand now. The answer comes in its place among what the
 * home publishes there, so that it cannot undo what was said after it. Asks once at a time, however often it was joined.
 *
 * @param id of the message, on the wire.
 */
export function tellState(presence: Presence, session: Session, channel: LocalChannel, id: string): void {
  if (session.asking?.has(channel)) return;
  session.asking ??= new Set();
  session.asking.add(channel);
  ask(presence, session, channel, id);
}

function ask(presence: Presence, session: Session, channel: LocalChannel, id: string): void {
  const userId = userOf(innerChannel(channel.name)) ?? '';
  presence.ask([userId], { debounced: true }, ([answer]) => {
    const isWanted = session.state !== 'closed' && channel.has(session);
    if (isWanted && (!answer || answer.error)) {
      setTimeout(() => ask(presence, session, channel, id), AGAIN_MS).unref();
      return;
    }
    session.asking?.delete(channel);
    if (!isWanted || !answer || answer.error) return;
    const { online, since } = answer;
    const state: PresenceState = { userId, online, ...(since === undefined ? {} : { since }) };
    session.send(messageFrame(channel.messageHead, { from: SENDER, id, data: jsonToWire(state) }));
  });
}

const SENDER = quote(CLUSTER_SENDER);
