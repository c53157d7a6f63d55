/** What a run can be accused of. */
export type FlawKind =
  /** Confirmed, not delivered, and no gap tells of it. */
  | 'lost'
  /** A gap where none may be. */
  | 'gap'
  /** The same message handed to the application twice. */
  | 'doubled'
  /** Within a channel: against its positions, or two sessions saw the same messages in different orders. */
  | 'disordered'
  /** Of one sender in one channel, the later before the earlier. */
  | 'sender-order'
  /** Two messages at one position: the channel has forked. */
  | 'forked'
  /** A home went on in its epoch after another one had acted. */
  | 'two-homes'
  /** Nobody sent it, or not there, or not by this sender, or to somebody who is not in the channel. */
  | 'stray'
  /** Neither confirmed nor refused nor given up. */
  | 'unanswered'
  | 'unconnected'
  | 'wrong-node'
  /** A process holds more at the end than at the beginning. */
  | 'growth';

export interface Flaw {
  readonly kind: FlawKind;
  readonly text: string;
}

/** What may differ between runs. */
export interface CheckRules {
  /** `told`: what a gap covers counts as delivered. `none`: a gap is a flaw. */
  readonly gaps: 'told' | 'none';
  /** Every session is to be on the home of its user. */
  readonly homes: boolean;
}
