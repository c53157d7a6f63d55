import type { CloseName } from './close-codes.ts';

/** What each close code means, in one line for people. */
export const CLOSE_MEANS = {
  invalid_ticket: 'the ticket is malformed or its signature is not ours',
  policy: 'the session broke a rule of this server',
  kicked: 'a backend or an operator ended the session',
  replaced: 'a newer session took this one’s place',
  ticket_expired: 'the ticket came too late',
  ticket_used: 'the ticket had been used before',
  wrong_node: 'the ticket is for another node, or an earlier start of this one',
  node_full: 'the node has no room for another session',
  slow_consumer: 'the client did not read what was sent to it',
  rate_limited: 'the client sent too much',
  session_expired: 'the right to this session has ended',
  ping_timeout: 'no answer to a ping',
  draining: 'the node is leaving and takes no new sessions',
  unavailable: 'the home of the user’s channel could not be reached',
  user_sessions: 'the user has as many sessions as are allowed',
  moved: 'the session belongs on another node now',
  going_away: 'the node is stopping',
} as const satisfies Record<CloseName, string>;
