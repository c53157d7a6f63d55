import { type MessageFrame, type Position, samePosition } from '@ringway/protocol';

/** So many ids of delivered messages are remembered, all channels together. */
const REMEMBERED = 2_048;

/**
 * What to do with a message: `deliver` it; drop it as a `repeat`; drop it, because something before it is missing (a
 * `hole`), and ask for what came after our position.
 */
export type Taken = 'deliver' | 'repeat' | 'hole';

/**
 * The position in each channel. A message is taken only if its `previous` is our position, so nothing can be missed
 * unseen; a message that was delivered is not delivered again, even where its position has changed with the epoch.
 */
export class Positions {
  readonly #positions = new Map<string, Position>();
  readonly #seen = new Set<string>();

  get(channel: string): Position | undefined {
    return this.#positions.get(channel);
  }

  set(channel: string, position: Position): void {
    this.#positions.set(channel, position);
  }

  forget(channel: string): void {
    this.#positions.delete(channel);
  }

  clear(): void {
    this.#positions.clear();
    this.#seen.clear();
  }

  take({ channel, position, previous, from, id }: MessageFrame): Taken {
    const key = `${channel}\n${from}\n${id}`;
    const ours = this.#positions.get(channel);
    if (position && ours && !(previous && samePosition(previous, ours))) {
      const repeat = this.#seen.has(key) || !this.isAhead(channel, position);
      return repeat ? 'repeat' : 'hole';
    }
    if (position) this.#positions.set(channel, position);
    return this.#remember(key) ? 'deliver' : 'repeat';
  }

  /** Whether a position lies behind nothing that we have: later in our epoch, or in another one. */
  isAhead(channel: string, position: Position): boolean {
    const ours = this.#positions.get(channel);
    return !ours || position.epoch !== ours.epoch || position.seq > ours.seq;
  }

  #remember(key: string): boolean {
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    const [oldest = ''] = this.#seen;
    if (this.#seen.size > REMEMBERED) this.#seen.delete(oldest);
    return true;
  }
}
