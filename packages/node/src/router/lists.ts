import type { AnswerRecord, ListOutcome } from '../peers/wire.ts';
import type { Message, Outcome } from './port.ts';
import type { Parked } from './waiting.ts';

/** A list that went to a peer in one frame and is to be answered. */
export interface SentList {
  readonly message: Message;
  readonly channels: readonly string[];
  readonly done: (outcomes: readonly Outcome[]) => void;
  /** As that of {@link Parked}. */
  readonly order: number;
  /** Monotonic, milliseconds. */
  readonly deadline: number;
}

/** Gathers so many outcomes, whatever the order in which they come, and hands them on in theirs. */
export function gather(
  count: number,
  done: (outcomes: readonly Outcome[]) => void,
): (index: number, outcome: Outcome) => void {
  const outcomes: Outcome[] = new Array<Outcome>(count);
  let open = count;
  return (index, outcome) => {
    outcomes[index] = outcome;
    if (--open === 0) done(outcomes);
  };
}

/** A list whose answer did not come, as one publication a channel: each keeps its place before what was sent after it. */
export function singly({ message, channels, done, order, deadline }: SentList): Parked[] {
  const settle = gather(channels.length, done);
  const { from, id, data, ephemeral } = message;
  return channels.map((channel, index) => ({
    publication: { channel, from, id, data, ephemeral, done: (outcome) => settle(index, outcome) },
    dedupe: true,
    hops: 0,
    sent: true,
    order,
    deadline,
  }));
}

/** An outcome as it came in an answer, to one publication or to a list. */
export function outcomeOf(answer: AnswerRecord | ListOutcome): Outcome {
  // a list is never forwarded as one, so nobody says so of it; of what else is, this node makes no outcome
  if (answer.code === 'not_home') return { kind: 'failed', code: 'unavailable' };
  if (answer.code !== undefined) return { kind: 'failed', code: answer.code };
  const { reached = 0, duplicate = false, position } = answer;
  return { kind: 'published', reached, duplicate, position };
}

/** An outcome for the answer to a list. */
export function listOutcome(outcome: Outcome): ListOutcome {
  if (outcome.kind === 'failed') return { code: outcome.code };
  const { reached, duplicate, position } = outcome;
  return { reached, ...(duplicate ? { duplicate } : {}), ...(position ? { position } : {}) };
}
