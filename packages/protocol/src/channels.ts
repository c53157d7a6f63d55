/**
 * What a channel's name begins with: `user:<id>`, `group:<name>`, the single channel `all`, or `presence:user:<id>`, in which
 * the cluster itself says whether the user is online.
 */
export type ChannelKind = 'user' | 'group' | 'all' | 'presence';

/** The channel of every session on every node. */
export const CHANNEL_ALL = 'all';

const PRESENCE = 'presence:';

/** Longest user id or group name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 256;

/**
 * A user id or group name: 1 to {@link MAX_NAME_BYTES} bytes of UTF-8, without control characters (U+0000 to U+001F,
 * U+007F) and without lone surrogates, which have no UTF-8 form and so could not name the same channel everywhere.
 */
export function isUserId(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_NAME_BYTES) return false;
  let bytes = 0;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return false;
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      const next = value.charCodeAt(++i);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
      bytes += 4;
    }
  }
  return bytes <= MAX_NAME_BYTES;
}

/** The channel of a user's direct messages. */
export function userChannel(userId: string): string {
  return `user:${userId}`;
}

/** The channel of a group. */
export function groupChannel(name: string): string {
  return `group:${name}`;
}

/** The channel in which the cluster says whether a user is online. */
export function presenceChannel(userId: string): string {
  return PRESENCE + userChannel(userId);
}

/** The channel that a `presence:` channel is about, or the channel itself. */
export function innerChannel(channel: string): string {
  return channel.startsWith(PRESENCE) ? channel.slice(PRESENCE.length) : channel;
}

/** The `from` of what a backend publishes. */
export function serviceSender(name: string): string {
  return `service:${name}`;
}

/** The `from` of what the cluster itself says. */
export const CLUSTER_SENDER = serviceSender('ringway');

/** The kind of a well-formed channel name; undefined when it is none. */
export function channelKind(channel: string): ChannelKind | undefined {
  if (channel.startsWith('user:')) return isUserId(channel.slice(5)) ? 'user' : undefined;
  if (channel.startsWith('group:')) return isUserId(channel.slice(6)) ? 'group' : undefined;
  if (channel.startsWith(PRESENCE))
    return channelKind(innerChannel(channel)) === 'user' ? 'presence' : undefined;
  return channel === CHANNEL_ALL ? 'all' : undefined;
}

/** Whether the value is a well-formed channel name. */
export function isChannel(value: unknown): value is string {
  return typeof value === 'string' && channelKind(value) !== undefined;
}

/** The user id of a `user:` channel; undefined for any other channel. */
export function userOf(channel: string): string | undefined {
  return channel.startsWith('user:') ? channel.slice(5) : undefined;
}
