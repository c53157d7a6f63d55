import { innerChannel } from '@ringway/protocol';
import { keyPoint } from '@ringway/ring';

/** A channel's place on the ring. A `presence:` channel has that of the channel that it is about, and so its home. */
export function channelPoint(channel: string): number {
  return keyPoint(innerChannel(channel));
}
