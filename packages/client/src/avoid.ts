import type { ResolvedOptions } from './options.ts';

type AvoidOptions = Pick<ResolvedOptions, 'clock' | 'avoidMs'>;

/** As many as `/route` takes. */
const MOST = 4;

/** Nodes that `/route` is asked to leave out for a while, the latest ones first to stay. */
export class AvoidList {
  readonly #options: AvoidOptions;
  readonly #until = new Map<string, number>();

  constructor(options: AvoidOptions) {
    this.#options = options;
  }

  add(nodeId: string): void {
    const { clock, avoidMs } = this.#options;
    this.#until.delete(nodeId);
    this.#until.set(nodeId, clock.now() + avoidMs);
    const [oldest = ''] = this.#until.keys();
    if (this.#until.size > MOST) this.#until.delete(oldest);
  }

  delete(nodeId: string): void {
    this.#until.delete(nodeId);
  }

  current(): string[] {
    const now = this.#options.clock.now();
    for (const [nodeId, until] of this.#until) if (until <= now) this.#until.delete(nodeId);
    return [...this.#until.keys()];
  }
}
