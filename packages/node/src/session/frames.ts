import {
  ERRORS,
  type ErrorCode,
  type Position,
  type ServerFrame,
  type WelcomeFrame,
} from '@ringway/protocol';
import type { Delivery, Outcome } from '../router/port.ts';
import { textFrame } from '../socket/framing.ts';
import { jsonToWire, quote } from '../text.ts';

// Frames for clients, as wire text: a message for a thousand sessions is framed once.

/** Any frame, from its object. */
export function frame(value: ServerFrame): string {
  return textFrame(jsonToWire(value));
}

function positionText(position: Position): string {
  return `{"epoch":"${position.epoch}","seq":${position.seq}}`;
}

/** What all welcomes of a node have in common, before and behind what is the session's own. */
const welcomes = new WeakMap<WelcomeParts, readonly [head: string, tail: string]>();

/** What a node tells every session. */
export type WelcomeParts = Pick<WelcomeFrame, 'nodeId' | 'ping' | 'limits'>;

/** The `welcome` frame. */
export function welcomeFrame(
  node: WelcomeParts,
  { id, userId, expiresAt }: { readonly id: string; readonly userId: string; readonly expiresAt: number },
  channel: string,
  position: Position,
): string {
  let common = welcomes.get(node);
  if (!common) {
    const { nodeId, ping, limits } = node;
    const head = jsonToWire({ type: 'welcome', protocol: 1, nodeId }).slice(0, -1);
    common = [`${head},"sessionId":`, `,${jsonToWire({ ping, limits }).slice(1, -1)}`];
    welcomes.set(node, common);
  }
  const [head, tail] = common;
  const own = `${quote(id)},"userId":${quote(userId)},"channel":${quote(channel)},"position":${positionText(position)}`;
  const right = expiresAt === Number.POSITIVE_INFINITY ? '' : `,"expiresAt":${expiresAt * 1000}`;
  return textFrame(`${head}${own}${tail}${right}}`);
}

/** The `joined` frame. */
export function joinedFrame(channel: string, position: Position): string {
  return frame({ type: 'joined', channel, position });
}

/** What stands before the numbers of a position, by epoch: nearly all messages in a row are of one epoch. */
let lastEpoch = '';
let positionHead = '';
let previousHead = '';

/** What every `message` frame of a channel begins with. `channel` is its name as a JSON string on the wire. */
export function messageHead(channel: string): string {
  return `{"type":"message","channel":${channel},"id":`;
}

/** A `message` frame. `begin` is the channel's {@link messageHead}. */
export function messageFrame(begin: string, delivery: Delivery): string {
  const { id, from, data, position, previous } = delivery;
  const head = begin + id;
  if (!position || !previous) return textFrame(`${head},"from":${from},"data":${data}}`);
  if (position.epoch !== lastEpoch) {
    lastEpoch = position.epoch;
    positionHead = `,"position":{"epoch":"${lastEpoch}","seq":`;
    previousHead = `},"previous":{"epoch":"${lastEpoch}","seq":`;
  }
  const before =
    previous.epoch === lastEpoch ? previousHead : `},"previous":{"epoch":"${previous.epoch}","seq":`;
  return textFrame(
    `${head}${positionHead}${position.seq}${before}${previous.seq}},"from":${from},"data":${data}}`,
  );
}

/** The answer to a publish of one message. `id` is a JSON string on the wire. */
export function outcomeFrame(id: string, outcome: Outcome): string {
  if (outcome.kind === 'failed') return errorFrame(outcome.code, ERRORS[outcome.code].means, id);
  const position = outcome.position ? `,"position":${positionText(outcome.position)}` : '';
  const duplicate = outcome.duplicate ? ',"duplicate":true' : '';
  return textFrame(`{"type":"published","id":${id}${position},"reached":${outcome.reached}${duplicate}}`);
}

/** The answer to a publish to a list: one result for each user, in order. */
export function listFrame(id: string, users: readonly string[], outcomes: readonly Outcome[]): string {
  let reached = 0;
  const results = users.map((to, i) => {
    const outcome = outcomes[i];
    if (!outcome || outcome.kind === 'failed') {
      const code: ErrorCode = outcome?.code ?? 'internal';
      return { to, error: { code, message: ERRORS[code].means } };
    }
    reached += outcome.reached;
    const { position, duplicate } = outcome;
    return {
      to,
      reached: outcome.reached,
      ...(position ? { position } : {}),
      ...(duplicate ? { duplicate } : {}),
    };
  });
  return textFrame(`{"type":"published","id":${id},"reached":${reached},"results":${jsonToWire(results)}}`);
}

/** An `error` frame; `id` is a JSON string on the wire. */
export function errorFrame(
  code: ErrorCode,
  message: string,
  id?: string,
  more: { readonly channel?: string; readonly retryAfterMs?: number } = {},
): string {
  const { retryable } = ERRORS[code];
  const answers = id === undefined ? '' : `,"id":${id}`;
  const channel = more.channel === undefined ? '' : `,"channel":${quote(more.channel)}`;
  const after = more.retryAfterMs === undefined ? '' : `,"retryAfterMs":${more.retryAfterMs}`;
  return textFrame(
    `{"type":"error"${answers}${channel},"code":"${code}","message":${quote(message)},"retryable":${retryable}${after}}`,
  );
}

export const PING_FRAME = frame({ type: 'ping' });
export const PONG_FRAME = frame({ type: 'pong' });
