import type { MessageFrame, Position } from '@ringway/protocol';

/** One channel's log, as a node keeps it. */
export class TestLog {
  readonly channel: string;
  readonly messages: (MessageFrame & { readonly position: Position; readonly previous: Position })[] = [];
  #head: Position;

  constructor(channel: string, epoch: string) {
    this.channel = channel;
    this.#head = { epoch, seq: 0 };
  }

  get head(): Position {
    return this.#head;
  }

  append(
    from: string,
    id: string,
    data: unknown,
  ): { frame: MessageFrame & { position: Position }; duplicate: boolean } {
    const stored = this.messages.find((message) => message.from === from && message.id === id);
    if (stored) return { frame: stored, duplicate: true };
    const previous = this.#head;
    this.#head = { epoch: previous.epoch, seq: previous.seq + 1 };
    const frame = {
      type: 'message' as const,
      channel: this.channel,
      id,
      position: this.#head,
      previous,
      from,
      data,
    };
    this.messages.push(frame);
    return { frame, duplicate: false };
  }

  /** The stream goes on in another epoch; nothing is lost by that. */
  newEpoch(epoch: string): void {
    this.#head = { epoch, seq: 0 };
  }

  /** Forgets what was stored before a position. */
  trim(before: number): void {
    while (this.messages[0] && this.messages[0].position.seq < before) this.messages.shift();
  }

  /** What came after; `start` differs from the position asked for where something between is lost. */
  since(position: Position): { start: Position; messages: readonly MessageFrame[] } {
    const at = this.messages.findIndex(
      ({ previous }) => previous.epoch === position.epoch && previous.seq === position.seq,
    );
    if (at >= 0) return { start: position, messages: this.messages.slice(at) };
    if (position.epoch === this.#head.epoch && position.seq === this.#head.seq)
      return { start: position, messages: [] };
    return { start: this.messages[0]?.previous ?? this.#head, messages: this.messages };
  }
}
