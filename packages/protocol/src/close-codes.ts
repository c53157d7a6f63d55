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
}

/**
 * The close codes of Ringway, for server and SDK alike. The range says what to do: 44xx terminal, 45xx ask `/route`
 * again with backoff, 46xx go on at once. What each means stands in {@link CLOSE_MEANS}, so that no browser has to load it.
 */
export const CLOSE = {
  invalid_ticket: { code: 4400, action: 'terminal' },
  policy: { code: 4403, action: 'terminal' },
  kicked: { code: 4404, action: 'terminal' },
  replaced: { code: 4409, action: 'terminal' },
  ticket_expired: { code: 4500, action: 'route' },
  ticket_used: { code: 4501, action: 'route' },
  wrong_node: { code: 4502, action: 'route' },
  node_full: { code: 4503, action: 'route', avoid: true },
  slow_consumer: { code: 4504, action: 'route' },
  rate_limited: { code: 4505, action: 'route' },
  session_expired: { code: 4506, action: 'route', newToken: true },
  ping_timeout: { code: 4507, action: 'route' },
  draining: { code: 4508, action: 'route', avoid: true },
  unavailable: { code: 4509, action: 'route' },
  user_sessions: { code: 4510, action: 'route' },
  moved: { code: 4600, action: 'again' },
  going_away: { code: 4601, action: 'again' },
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
  if (code >= 4400 && code < 4500) return { code, action: 'terminal' };
  if (code >= 4600 && code < 4700) return { code, action: 'again' };
  return { code, action: 'route' };
}
