import { ERRORS, isUserId } from '@ringway/protocol';
import type { Control } from './control.ts';

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string' && value !== '';
const flag: Check = (value) => typeof value === 'boolean';
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const errorCode: Check = (value) => typeof value === 'string' && Object.hasOwn(ERRORS, value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const fields = (checks: Readonly<Record<string, Check>>): Check => {
  const entries = Object.entries(checks);
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    entries.every(([name, check]) => check((value as Record<string, unknown>)[name]));
};

const integer: Check = (value) => Number.isSafeInteger(value);
const position = fields({ epoch: text, seq: count });
const channel = text;
const correlation = count;
const name: Check = isUserId;
const membership = { userId: name, group: name, stamp: count };

const CONTROLS: Readonly<Record<Control['t'], Check>> = {
  hello: fields({ nodeId: text, incarnation: text, proof: text }),
  heartbeat: fields({ unheard: listOf(text), echo: flag }),
  interest: fields({
    correlation,
    channel,
    sessions: count,
    position: optional(position),
    since: optional(count),
  }),
  interested: fields({
    correlation,
    start: optional(position),
    goesOn: optional(flag),
    code: optional(errorCode),
    home: optional(text),
  }),
  sessions: fields({ channel, sessions: count, kept: optional(flag), since: optional(count) }),
  standby: fields({ items: listOf(fields({ channel, sessions: count, since: optional(count) })) }),
  moved: fields({ channel }),
  read: fields({
    correlation,
    channel,
    since: optional(position),
    last: optional(count),
    limit: count,
    past: optional(flag),
    closedBy: optional(text),
  }),
  readEnd: fields({
    correlation,
    start: optional(position),
    end: optional(position),
    follows: optional(text),
    next: optional(text),
    forMs: optional(count),
    code: optional(errorCode),
  }),
  sync: fields({ correlation }),
  synced: fields({ correlation }),
  release: fields({ correlation }),
  released: fields({ correlation }),
  check: fields({
    items: listOf(fields({ channel, sessions: count, at: position, since: optional(count) })),
  }),
  checked: fields({
    lost: listOf(channel),
    behind: listOf(fields({ channel, head: position })),
  }),
  listed: fields({
    correlation,
    outcomes: listOf(
      fields({
        code: optional(errorCode),
        reached: optional(count),
        duplicate: optional(flag),
        position: optional(position),
      }),
    ),
  }),
  kick: fields({ channel, banSeconds: count, forwarded: flag }),
  presence: fields({ correlation, channels: listOf(channel), debounced: flag }),
  presences: fields({
    correlation,
    items: listOf(
      fields({
        code: optional(errorCode),
        online: flag,
        unsure: optional(flag),
        since: optional(count),
        nodes: listOf(fields({ nodeId: text, sessions: count })),
      }),
    ),
  }),
  occupants: fields({ correlation, channel }),
  occupantsAre: fields({
    correlation,
    sessions: count,
    users: listOf(text),
    more: flag,
    missing: listOf(text),
    code: optional(errorCode),
  }),
  member: fields({ correlation, ...membership }),
  membered: fields({ correlation, stamp: count }),
  rosterAsk: fields({ correlation, digest: text }),
  rosterTold: fields({ correlation, digests: optional(listOf(integer)), partial: optional(flag) }),
  rosterRead: fields({ correlation, bucket: count }),
  rosterPage: fields({ correlation, entries: listOf(fields(membership)), more: flag }),
};

/** Whether every one of the values is a channel's name, as far as that matters between nodes: none is empty. */
export function isChannelList(value: unknown): value is readonly string[] {
  return listOf(channel)(value);
}

/**
 * A control as it came off a link: checked, so that nothing that a peer can send is met where it cannot be handled.
 * `unknown`: of a later version, not for us; `malformed`: not as described.
 */
export function checkControl(value: unknown): Control | 'unknown' | 'malformed' {
  if (!fields({ t: text })(value)) return 'malformed';
  const { t } = value as { readonly t: string };
  if (!Object.hasOwn(CONTROLS, t)) return 'unknown';
  return CONTROLS[t as Control['t']](value) ? (value as Control) : 'malformed';
}
