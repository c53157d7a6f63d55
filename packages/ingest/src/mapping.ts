import { isChannel, isUserId, type PublishTarget, userChannel } from '@ringway/protocol';
import { BadEventError, type Event, kindOf, parseEvent } from './event.ts';
import type { Delivery, Refusal } from './port.ts';
import { scalarText, Template, TemplateError, valueAt } from './template.ts';

/** What an event becomes. */
export interface Mapped {
  readonly id: string;
  readonly to: PublishTarget;
  /** What `to` names, each once: those in which the message keeps its place. */
  readonly channels: readonly string[];
  /** JSON text. */
  readonly data: string;
}

/** Longest id that a node takes: bytes of its JSON text, quotes included. */
const MAX_ID_BYTES = 130;

/** An event cannot be mapped: `reason` for metrics, the message for people. */
class UnmappableError extends Error {
  override readonly name = 'UnmappableError';
  readonly code = 'unmappable';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** From an event to a publish, as the mapping file declares it. Made by {@link parseMapping}. */
export class Mapping {
  readonly #target: (event: Event) => PublishTarget;
  readonly #data: Template | undefined;
  readonly #id: Template | undefined;

  constructor(target: (event: Event) => PublishTarget, data: Template | undefined, id: Template | undefined) {
    this.#target = target;
    this.#data = data;
    this.#id = id;
  }

  /** Never throws: what cannot be mapped answers why. */
  map(delivery: Delivery): Mapped | Refusal {
    try {
      if (delivery.body === undefined) throw new UnmappableError('no_event', 'the message holds no event');
      const event = parseEvent(delivery.body);
      const to = this.#target(event);
      return { id: this.#idOf(event, delivery), to, channels: channelsOf(to), data: this.#dataOf(event) };
    } catch (error) {
      const detail = (error as Error).message;
      if (error instanceof BadEventError || error instanceof UnmappableError)
        return { reason: error.reason, detail };
      if (error instanceof TemplateError) return { reason: 'mapping', detail };
      throw error;
    }
  }

  #dataOf(event: Event): string {
    const path = this.#data?.path;
    // the text as it came, and not one made anew
    if (path === undefined) return event.text;
    const value = valueAt(event.value, path);
    if (value === undefined) throw new TemplateError(`data: {${path.join('.')}}: there is no such field`);
    return JSON.stringify(value);
  }

  #idOf(event: Event, { id: own }: Delivery): string {
    const id = this.#id ? this.#id.fill(event.value) : own;
    if (id === undefined) {
      throw new UnmappableError('no_id', 'the message has no id of its own, and the mapping names none');
    }
    if (Buffer.byteLength(JSON.stringify(id)) > MAX_ID_BYTES) {
      throw new UnmappableError('mapping', `id: expected at most 128 bytes, got ${shortened(id)}`);
    }
    return id;
  }
}

function channelsOf(to: PublishTarget): readonly string[] {
  if (typeof to === 'string') {
    if (isChannel(to)) return [to];
    throw new UnmappableError('invalid_channel', `to: not a channel: ${shortened(to)}`);
  }
  const bad = to.users.find((user: string) => !isUserId(user));
  if (bad !== undefined) throw new UnmappableError('invalid_user_id', `to: not a user id: ${shortened(bad)}`);
  if (to.users.length === 0) throw new UnmappableError('mapping', 'to: the list of users is empty');
  return [...new Set(to.users.map(userChannel))];
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}

/** The mapping file is wrong; the message begins with the field that is. */
export class MappingError extends Error {
  override readonly name = 'MappingError';
  readonly code = 'bad_mapping';
}

const FIELDS = ['to', 'data', 'id'];

/** Reads the text of a mapping file. @throws MappingError */
export function parseMapping(text: string): Mapping {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (cause) {
    throw new MappingError(`not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw new MappingError(`expected an object with the fields ${FIELDS.join(', ')}, got ${kindOf(file)}`);
  }
  for (const field of Object.keys(file)) {
    if (!FIELDS.includes(field))
      throw new MappingError(`${field}: no such field; there are ${FIELDS.join(', ')}`);
  }
  const { to, data, id } = file as Readonly<Record<string, unknown>>;
  const target = parseTarget(to);
  const whole = data === undefined ? undefined : template('data', data);
  if (whole && whole.path === undefined) {
    throw new MappingError(
      'data: expected one field and nothing else, such as "{payload}"; left out it is the whole event',
    );
  }
  const named = id === undefined ? undefined : template('id', id);
  if (named?.constant)
    throw new MappingError('id: expected a field in it, such as "{event_id}": ids must differ');
  return new Mapping(target, whole, named);
}

function parseTarget(to: unknown): (event: Event) => PublishTarget {
  if (to === undefined) {
    throw new MappingError(
      'to: missing; expected a channel such as "user:{customer.id}", or {"users": "{agents}"}',
    );
  }
  if (typeof to === 'string') return parseChannel(to);
  const fields = typeof to === 'object' && to !== null ? Object.keys(to) : [];
  if (fields.length !== 1 || fields[0] !== 'users') {
    throw new MappingError(
      `to: expected a channel such as "user:{customer.id}", or {"users": "{agents}"}, got ${JSON.stringify(to)}`,
    );
  }
  const { users } = to as { readonly users: unknown };
  if (Array.isArray(users)) {
    if (users.length === 0) throw new MappingError('to.users: expected at least one user');
    const templates = users.map((user, i) => template(`to.users.${i}`, user));
    return ({ value }) => ({ users: templates.map((one) => one.fill(value)) });
  }
  const path = template('to.users', users).path;
  if (path === undefined) {
    throw new MappingError(
      'to.users: expected one field that holds an array, such as "{agents}", or an array of users',
    );
  }
  return ({ value }) => {
    const list = valueAt(value, path);
    const where = path.join('.');
    if (!Array.isArray(list))
      throw new TemplateError(`to.users: {${where}}: expected an array, got ${kindOf(list)}`);
    return { users: list.map((user, i) => scalarText(user, `${where}.${i}`)) };
  };
}

function parseChannel(text: string): (event: Event) => PublishTarget {
  const channel = template('to', text);
  const begins = /^(user:|group:|all$)/.test(text);
  if (!begins && channel.path === undefined) {
    throw new MappingError(
      `to: expected user:…, group:…, all, or one field that holds a channel, got ${JSON.stringify(text)}`,
    );
  }
  if (channel.constant && !isChannel(channel.fill(undefined))) {
    throw new MappingError(`to: not a channel: ${JSON.stringify(text)}`);
  }
  return ({ value }) => channel.fill(value);
}

function template(field: string, text: unknown): Template {
  if (typeof text !== 'string' || text === '') {
    throw new MappingError(`${field}: expected a text such as "{customer.id}", got ${JSON.stringify(text)}`);
  }
  try {
    return new Template(text);
  } catch (cause) {
    throw new MappingError(`${field}: ${(cause as Error).message}`, { cause });
  }
}
