import type { ClusterScope } from '@ringway/protocol';
import { type KeyFamily, verifyClusterToken } from '@ringway/service';
import { HttpProblem } from './problem.ts';

/** By what the callers of an internal listener are known. */
export interface CallerOptions {
  readonly nodeId: string;
  readonly cluster: string;
  readonly keys: KeyFamily;
  /** Whoever shows no token is let in. */
  readonly insecure: boolean;
}

/** The name of whoever calls, by its cluster token for this node. @throws HttpProblem */
export function callerOf(
  options: CallerOptions,
  { headers }: { readonly headers: { readonly authorization?: string | undefined } },
  scopes: readonly ClusterScope[] = ['push', 'admin'],
): string {
  const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  if (token === undefined) {
    if (options.insecure) return 'insecure';
    throw new HttpProblem(
      'unauthenticated',
      `expected Authorization: Bearer and a cluster token of scope ${scopes[0]}`,
    );
  }
  const verified = verifyClusterToken(options.keys, token, {
    now: Date.now(),
    issuer: options.cluster,
    audience: options.nodeId,
    scopes,
  });
  if (verified.ok) return verified.claims.sub;
  const code = verified.reason === 'scope' ? 'forbidden' : 'unauthenticated';
  throw new HttpProblem(code, `the token was refused: ${verified.reason}`);
}
