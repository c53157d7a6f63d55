import type { Position } from '@ringway/protocol';

/** What clients say to each other: of which pair, the how-manieth of it, and when, in milliseconds of this process. */
export interface Word {
  readonly pair: number;
  readonly n: number;
  readonly at: number;
  readonly pad: string;
}

/** A client that can be told apart from how it speaks. */
export interface Person {
  readonly name: string;
  /** Id of the node that holds its session now, or the last one that did. */
  readonly node: string;
  readonly connected: boolean;
  connect(): Promise<void>;
  /** Resolves when the server says that it has the message: with its position, where there are positions. Rejects otherwise. */
  publish(to: string, word: Word): Promise<Position | undefined>;
  close(): void;
}

/** What becomes of a person. */
export interface PersonEvents {
  heard(word: Word): void;
  /** Messages of its channel after one position, up to the other, are lost to it, and it was told so. */
  gap(after: Position, upTo: Position): void;
  /** The application sees it away, and back. */
  away(): void;
  back(): void;
  /** Another connection of it stands. */
  stood(): void;
}
