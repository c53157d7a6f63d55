/**
 * What a client does after a close: `terminal` stay closed; `route` ask `/route` again with backoff;
 * `again` ask `/route` again at once.
 */
export type CloseAction = 'terminal' | 'route' | 'again';

/** One row of the table. */
export interface CloseRule {
  readonly code: number;
  readonly action: CloseAction;
  /** Leave this node out of the next `/route`. */
  readonly avoid?: boolean;
  /** Get a new token for `/route` first. */
  readonly newToken?: boolean;
  /** One line for people. */
  readonly means: string;
}

/**
 * The close codes of Ringway, for server and SDK alike. The range says what to do: 44xx terminal, 45xx ask `/route`
 * again with backoff, 46xx go on at once.
 */
export const CLOSE = {
  invalid_ticket: { code: 4400, action: 'terminal', means: 'the ticket is malformed or its signature is not ours' },
  policy: { code: 4403, action: 'terminal', means: 'the session broke a rule of this server' },
  kicked: { code: 4404, action: 'terminal', means: 'a backend or an operator ended the session' },
  replaced: { code: 4409, action: 'terminal', means: 'a newer session took this one’s place' },
  ticket_expired: { code: 4500, action: 'route', means: 'the ticket came too late' },
  ticket_used: { code: 4501, action: 'route', means: 'the ticket had been used before' },
  wrong_node: { code: 4502, action: 'route', means: 'the ticket is for another node, or an earlier start of this one' },
  node_full: { code: 4503, action: 'route', avoid: true, means: 'the node has no room for another session' },
  slow_consumer: { code: 4504, action: 'route', means: 'the client did not read what was sent to it' },
  rate_limited: { code: 4505, action: 'route', means: 'the client sent too much' },
  session_expired: { code: 4506, action: 'route', newToken: true, means: 'the right to this session has ended' },
  ping_timeout: { code: 4507, action: 'route', means: 'no answer to a ping' },
  draining: { code: 4508, action: 'route', avoid: true, means: 'the node is leaving and takes no new sessions' },
  unavailable: { code: 4509, action: 'route', means: 'the home of the user’s channel could not be reached' },
  user_sessions: { code: 4510, action: 'route', means: 'the user has as many sessions as are allowed' },
  moved: { code: 4600, action: 'again', means: 'the session belongs on another node now' },
  going_away: { code: 4601, action: 'again', means: 'the node is stopping' },
} as const satisfies Record<string, CloseRule>;

/** A name in the table. */
export type CloseName = keyof typeof CLOSE;

/** A code in the table. */
export type CloseCode = (typeof CLOSE)[CloseName]['code'];

const byCode = new Map<number, CloseRule>(Object.values(CLOSE).map((rule) => [rule.code, rule]));

/**
 * What to do after a close with this code. A code of a known range that this build does not know yet acts as its
 * range says; anything else, 1001 and 1006 among them, asks `/route` again.
 */
export function closeRule(code: number): CloseRule {
  const known = byCode.get(code);
  if (known) return known;
  if (code >= 4400 && code < 4500) return { code, action: 'terminal', means: 'closed for good by the server' };
  if (code >= 4600 && code < 4700) return { code, action: 'again', means: 'asked to come again at once' };
  return { code, action: 'route', means: 'the connection ended' };
}
