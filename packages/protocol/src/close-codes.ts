/**
 * What a client does after a close: `terminal` stay closed; `route` ask `/route` again with backoff;
 * `again` ask `/route` again at once.
 */
export type CloseAction = 'terminal' | 'route' | 'again';

/** One row of the table. */
interface CloseRow {
  readonly code: number;
  /** Leave this node out of the next `/route`. */
  readonly avoid?: boolean;
  /** Get a new token for `/route` first. */
  readonly newToken?: boolean;
}

/** What to do after a close. */
export interface CloseRule extends CloseRow {
  /** The code's name in the table, `closed` if it has none. */
  readonly name: string;
  readonly action: CloseAction;
}

/**
 * The close codes of Ringway, for server and SDK alike. The range says what to do: 44xx terminal, 45xx ask `/route`
 * again with backoff, 46xx go on at once. What each means stands in {@link CLOSE_MEANS}, so that no browser has to load it.
 */
export const CLOSE = {
  invalid_ticket: { code: 4400 },
  policy: { code: 4403 },
  kicked: { code: 4404 },
  replaced: { code: 4409 },
  ticket_expired: { code: 4500 },
  ticket_used: { code: 4501 },
  wrong_node: { code: 4502 },
  node_full: { code: 4503, avoid: true },
  slow_consumer: { code: 4504 },
  rate_limited: { code: 4505 },
  session_expired: { code: 4506, newToken: true },
  ping_timeout: { code: 4507 },
  draining: { code: 4508, avoid: true },
  unavailable: { code: 4509 },
  user_sessions: { code: 4510 },
  moved: { code: 4600 },
  going_away: { code: 4601 },
} as const satisfies Record<string, CloseRow>;

/** A name in the table. */
export type CloseName = keyof typeof CLOSE;

/** A code in the table. */
export type CloseCode = (typeof CLOSE)[CloseName]['code'];

/** Actions by the hundreds of a code. */
const ACTIONS: Readonly<Record<number, CloseAction>> = { 44: 'terminal', 46: 'again' };

/**
 * What to do after a close with this code. A code of a known range that this build does not know yet acts as its
 * range says; anything else, 1001 and 1006 among them, asks `/route` again.
 */
export function closeRule(code: number): CloseRule {
  const [name, row] = Object.entries(CLOSE).find(([, known]) => known.code === code) ?? ['closed'];
  return { name, code, action: ACTIONS[Math.floor(code / 100)] ?? 'route', ...row };
}
