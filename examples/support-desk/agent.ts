import { RingwayClient } from '@ringway/client';
import type { TicketEvent } from './tickets.ts';

/** Whoever is on duty hears of every ticket. */
const CHANNEL = 'group:agents';

/** An agent on duty: here a line on the terminal, elsewhere a page in the browser with the same SDK. */
export class Agent implements AsyncDisposable {
  readonly #name: string;
  readonly #client: RingwayClient;
  #count = 0;
  #heard: () => void = () => {};

  private constructor(name: string, locator: string) {
    this.#name = name;
    this.#client = new RingwayClient({ locator, userId: name });
    this.#client.on('message', ({ data }) => this.#hears(data as TicketEvent));
    this.#client.on('gap', ({ after, upTo }) => console.log(name, 'must reread the tickets', after, upTo));
    this.#client.on('error', (error) => console.error(name, error.message));
  }

  static async onDuty(name: string, locator: string): Promise<Agent> {
    const agent = new Agent(name, locator);
    await agent.#client.connect();
    await agent.#client.join(CHANNEL);
    return agent;
  }

  /** Resolves when so many events have come. */
  async heard(count: number): Promise<void> {
    while (this.#count < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#heard = resolve;
      await promise;
    }
  }

  #hears({ id, text }: TicketEvent): void {
    console.log(`${this.#name.padEnd(6)} ${id}: ${text}`);
    this.#count++;
    this.#heard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}
