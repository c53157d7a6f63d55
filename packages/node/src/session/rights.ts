import { allows, type Capabilities, channelKind, innerChannel } from '@ringway/protocol';

/** Whether a right covers a channel beside the session's own: groups by `join`, presence by `presence`, which names the users. */
export function mayJoin(cap: Capabilities, channel: string): boolean {
  return channelKind(channel) === 'presence'
    ? allows(cap.presence, innerChannel(channel))
    : allows(cap.join, channel);
}
