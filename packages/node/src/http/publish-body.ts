import { isUtf8 } from 'node:buffer';
import {
  channelKind,
  ERRORS,
  type ErrorCode,
  RawFields,
  type ScanFailure,
  scanArray,
  scanFields,
  userChannel,
} from '@ringway/protocol';
import { usersOf } from '../session/input.ts';
import { requote, unquote } from '../text.ts';

/** A publish as a backend asked for it. `id` and `data` are wire text. */
export interface PublishOrder {
  readonly id: string | undefined;
  readonly data: string;
  readonly ephemeral: boolean;
  readonly channels: readonly string[];
  /** The users of a list; undefined for a single channel. */
  readonly users: readonly string[] | undefined;
}

/** A part of a body that is not as described. */
export interface BadOrder {
  readonly code: ErrorCode;
  readonly message: string;
  readonly id: string | undefined;
}

const MAX_ID_LENGTH = 130;
/** Most publishes in one body: each is answered, and what is no publish in two bytes by a hundred. */
const MAX_ORDERS = 10_000;

/**
 * Reads the body of `POST /publish`: one object, or an array of at most 10,000 of them. The body as a whole is refused when it is not JSON;
 * within an array each element is judged by itself.
 */
export function readPublishBody(
  body: Buffer,
  maxUsers: number,
): BadOrder | PublishOrder | (PublishOrder | BadOrder)[] {
  if (!isUtf8(body)) return bad('bad_request', 'the body is not valid UTF-8');
  const text = body.toString('latin1');
  if (text.trimStart().startsWith('[')) {
    const elements = scanArray(text, MAX_ORDERS);
    if ('message' in elements) return malformed(elements);
    return elements.map((element) => readOrder(element, maxUsers));
  }
  return readOrder(text, maxUsers);
}

function readOrder(text: string, maxUsers: number): PublishOrder | BadOrder {
  const fields = new RawFields();
  const failure = scanFields(text, fields);
  if (failure) return malformed(failure);
  const given = fields.get('id');
  const to = fields.get('to');
  const data = fields.get('data');
  const ephemeral = fields.get('ephemeral') ?? 'false';
  if (
    given !== undefined &&
    (given.charCodeAt(0) !== 0x22 || given.length < 3 || given.length > MAX_ID_LENGTH)
  ) {
    return bad('bad_request', 'id: expected a string of 1 to 128 bytes');
  }
  // a repeat is the same id, however it is written
  const id = given && requote(given);
  if (to === undefined) return bad('bad_request', 'the member "to" is missing', id);
  if (data === undefined) return bad('bad_request', 'the member "data" is missing', id);
  if (ephemeral !== 'true' && ephemeral !== 'false') {
    return bad('bad_request', 'ephemeral: expected true or false', id);
  }
  const order = { id, data, ephemeral: ephemeral === 'true' };
  const channel = unquote(to);
  if (channel !== undefined) {
    const kind = channelKind(channel);
    if (kind === undefined) return bad('invalid_channel', ERRORS.invalid_channel.means, id);
    if (kind === 'presence')
      return bad('invalid_channel', 'nobody publishes to presence: the cluster says who is there', id);
    return { ...order, channels: [channel], users: undefined };
  }
  const users = usersOf(to);
  if (!users) return bad('bad_request', 'to: expected a channel name or {"users": [user ids]}', id);
  if (users.length > maxUsers) {
    return bad('list_too_long', `${users.length} users, at most ${maxUsers} are allowed`, id);
  }
  return { ...order, channels: users.map(userChannel), users };
}

function malformed(failure: ScanFailure): BadOrder {
  return bad('bad_request', failure.message);
}

function bad(code: ErrorCode, message: string, id?: string): BadOrder {
  return { code, message, id };
}
