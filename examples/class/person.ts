import { type Message, PublishRefusedError, RingwayClient } from '@ringway/client';

/** A teacher or a student with a device. What they hear stands on the terminal. */
export class Person implements AsyncDisposable {
  readonly name: string;
  readonly #client: RingwayClient;
  readonly #heard: string[] = [];
  #waiting: () => void = () => {};

  constructor(name: string, locator: string, getToken: () => Promise<string>) {
    this.name = name;
    this.#client = new RingwayClient({ locator, getToken });
    this.#client.on('message', (message) => this.#hear(message));
    this.#client.on('gap', ({ channel }) => console.log(`${name}: something in ${channel} is lost`));
    this.#client.on('error', (error) => console.error(`${name}: ${error.message}`));
  }

  /** Opens the device. What was said while it was closed comes first. */
  async open(): Promise<void> {
    await this.#client.connect();
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** @returns whether it was allowed */
  async say(to: string, text: string): Promise<boolean> {
    try {
      await this.#client.publish(to, text);
      return true;
    } catch (error) {
      if (!(error instanceof PublishRefusedError)) throw error;
      console.log(`${this.name} may not speak to ${to}: ${error.code}`);
      return false;
    }
  }

  /** Resolves when they have heard it. */
  async hears(text: string): Promise<void> {
    while (!this.#heard.includes(text)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      await promise;
    }
  }

  #hear({ channel, from, data }: Message): void {
    const text = String(data);
    console.log(`${this.name} hears in ${channel}, ${from}: ${text}`);
    this.#heard.push(text);
    this.#waiting();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
