/**
 * Proof that a member belongs to the cluster, made with the cluster's keys. The registry's catalogue is no proof: whoever
 * may write to it can list anything. `verify` accepts each key in use (rotation), `sign` uses the newest; both are
 * deterministic, synchronous, and never throw on what a stranger wrote.
 */
export interface MemberSigner {
  /** A signature of at most 512 bytes of ASCII. */
  sign(canonical: string): string;
  verify(canonical: string, signature: string): boolean;
}
