import { hash } from 'node:crypto';
import type { SourceHooks } from './port.ts';

/** What every adapter is made from. */
export interface SourceOptions {
  /** The stream, topic or queue. */
  readonly queue: string;
  /** Where messages are set aside: the stream, topic or queue. */
  readonly deadLetter: string;
  /** Name of this reader, the same at each of its starts. */
  readonly consumer: string;
  readonly maxInFlight: number;
  readonly hooks: SourceHooks;
  /** A number of [0, 1). */
  readonly random: () => number;
}

/** Between two attempts to connect, or to say something again, with full jitter. */
export const RECONNECT = Object.freeze({ baseMs: 200, capMs: 5_000 });

const MAX_ID_BYTES = 120;

/** An id made of the queue's name and a place in it; of a name that is too long, its hash. */
export function placeId(queue: string, place: string): string {
  const id = `${queue}:${place}`;
  if (Buffer.byteLength(JSON.stringify(id)) <= MAX_ID_BYTES) return id;
  return `${hash('sha256', queue)}:${place}`;
}
