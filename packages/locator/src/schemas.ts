import { ERRORS, MAX_NAME_BYTES } from '@ringway/protocol';
import { MAX_AVOID } from './choose.ts';

// JSON Schemas of everything that goes in and out. The response schemas are also what answers are serialised by.

const string = { type: 'string' } as const;
const integer = { type: 'integer' } as const;

const ringVersion = {
  type: 'object',
  required: ['index', 'checksum'],
  properties: { index: string, checksum: string },
} as const;

/** RFC 9457. */
export const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: string,
    title: string,
    status: integer,
    detail: string,
    code: { type: 'string', enum: Object.keys(ERRORS) },
    retryAfterMs: { type: 'integer', description: 'when to try again, in milliseconds from now' },
  },
} as const;

/** The refusals of a route, by status. */
export function problems(...statuses: readonly number[]): Record<number, object> {
  const content = { 'application/problem+json': { schema: problemSchema } };
  return Object.fromEntries(statuses.map((status) => [status, { description: meaning(status), content }]));
}

function meaning(status: number): string {
  const codes = Object.entries(ERRORS).filter(([, rule]) => rule.status === status);
  return codes.map(([code, rule]) => `\`${code}\`: ${rule.means}`).join('; ');
}

const userId = {
  type: 'string',
  description: `1 to ${MAX_NAME_BYTES} bytes of UTF-8, no control characters`,
} as const;

const routeQuery = {
  type: 'object',
  properties: {
    userId: {
      ...userId,
      description: `the caller's own, which it also is when left out; ${userId.description}`,
    },
    avoid: {
      type: 'array',
      items: { type: 'string', maxLength: 64 },
      maxItems: MAX_AVOID,
      description: 'ids of nodes to leave out; repeatable',
    },
  },
} as const;

const routeAnswer = {
  type: 'object',
  description: 'where to connect to, and the ticket for it',
  required: ['userId', 'nodeId', 'url', 'ticket', 'expiresAt', 'expiresIn', 'ring'],
  properties: {
    userId: string,
    nodeId: string,
    url: { type: 'string', description: 'ready to open as it is' },
    fallbackUrl: { type: 'string', description: 'the same through the locator, where it does that' },
    ticket: string,
    expiresAt: { type: 'integer', description: 'milliseconds since the epoch' },
    expiresIn: { type: 'integer', description: 'milliseconds from now' },
    ring: ringVersion,
  },
} as const;

/** What `GET /route` takes and gives. */
export const routeSchema = {
  tags: ['public'],
  summary: 'Where to connect',
  description: 'The node that owns the caller, and a ticket that opens one session there within 30 seconds.',
  security: [{ caller: [] }],
  querystring: routeQuery,
  response: { 200: routeAnswer, ...problems(400, 401, 403, 429, 503) },
};

export const ringQuery = {
  type: 'object',
  properties: {
    index: {
      type: 'string',
      description: 'the index that the caller has; with `wait`, answer when it is another',
    },
    checksum: { type: 'string', description: 'with `index`: the checksum that the caller has' },
    wait: {
      type: 'string',
      pattern: '^\\d{1,6}(ms|s)$',
      description: 'how long to wait for a change, at most 60s',
    },
  },
  dependencies: { wait: ['index'] },
} as const;

export const ringAnswer = {
  type: 'object',
  description: 'the members, and the version of the ring that those that are up make',
  required: ['index', 'checksum', 'format', 'members'],
  properties: {
    index: string,
    checksum: string,
    format: integer,
    members: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'incarnation', 'publicUrl', 'internalUrl', 'weight', 'state'],
        properties: {
          id: string,
          incarnation: string,
          publicUrl: string,
          internalUrl: string,
          weight: { type: 'number' },
          state: { type: 'string', enum: ['up', 'leaving', 'critical'] },
        },
      },
    },
  },
} as const;

export const ownerQuery = { type: 'object', required: ['userId'], properties: { userId } } as const;

/** Most users in one `POST /owner`. */
export const MAX_OWNERS = 1000;

export const ownersBody = {
  type: 'object',
  required: ['userIds'],
  properties: { userIds: { type: 'array', items: userId, minItems: 1, maxItems: MAX_OWNERS } },
} as const;

export const ownerAnswer = {
  type: 'object',
  description: 'the node to push to, and the token for it',
  required: ['userId', 'nodeId', 'internalUrl', 'token', 'expiresAt', 'ring'],
  properties: {
    userId: string,
    nodeId: string,
    internalUrl: string,
    token: string,
    expiresAt: { type: 'integer', description: 'when the token expires, in milliseconds since the epoch' },
    ring: ringVersion,
  },
} as const;

export const ownersAnswer = {
  type: 'object',
  description: 'one answer for each user, in the order of the question',
  required: ['owners'],
  properties: { owners: { type: 'array', items: ownerAnswer } },
} as const;

export const statusAnswer = {
  type: 'object',
  description: 'yes',
  required: ['status'],
  properties: { status: string },
} as const;
