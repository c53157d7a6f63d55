/**
 * A place in a channel's log: `seq` counts messages from 1 within an `epoch`; `seq` 0 is "before the first".
 * Positions of different epochs cannot be compared: what lies between them is unknown.
 */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** Whether two positions are the same place. */
export function samePosition(a: Position, b: Position): boolean {
  return a.seq === b.seq && a.epoch === b.epoch;
}
