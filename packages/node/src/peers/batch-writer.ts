import { batchHeader } from './wire.ts';

/** Over so many characters a batch is sent at once, so that the other side can begin and no batch grows without bound. */
const FULL = 128 * 1024;

/**
 * Gathers the records of one turn of the event loop and hands them on as one message: at load the price of a write, a
 * frame and a wake-up on the other side is shared by all of them. A batch is wire text.
 */
export class BatchWriter {
  private readonly checksum: () => string;
  private readonly send: (batch: string) => void;
  private text = '';
  private scheduled = false;

  constructor(checksum: () => string, send: (batch: string) => void) {
    this.checksum = checksum;
    this.send = send;
  }

  add(record: string): void {
    this.text += record;
    if (this.text.length > FULL) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(this.turn);
    }
  }

  flush(): void {
    if (this.text === '') return;
    const batch = batchHeader(this.checksum()) + this.text;
    this.text = '';
    this.send(batch);
  }

  /** Forgets what waits: its link is gone. */
  clear(): void {
    this.text = '';
  }

  private readonly turn = (): void => {
    this.scheduled = false;
    this.flush();
  };
}
