import { type Message, PublishRefusedError, RingwayClient } from '@ringway/client';

/** A teacher or a student with a device. What they hear stands on the terminal. */
export class Person implements AsyncDisposable {
  readonly name: string;
  readonly #client: RingwayClient;
  readonly #groups = new Set<string>();
  readonly #heard = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  constructor(name: string, locator: string, getToken: () => Promise<string>) {
    this.name = name;
    this.#client = new RingwayClient({ locator, getToken });
    this.#client.on('message', (message) => this.#hear(message));
    this.#client.on('joined', ({ channel }) => this.#groups.add(channel));
    this.#client.on('left', ({ channel }) => this.#groups.delete(channel));
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

  /** Resolves when their node has them in the group: from then on they hear it. */
  async joined(group: string): Promise<void> {
    if (!this.#groups.has(group)) await this.#told('joined', group);
  }

  async left(group: string): Promise<void> {
    if (this.#groups.has(group)) await this.#told('left', group);
  }

  async say(to: string, text: string): Promise<void> {
    try {
      await this.#client.publish(to, text);
    } catch (error) {
      if (!(error instanceof PublishRefusedError)) throw error;
      console.log(`${this.name} may not speak to ${to}: ${error.code}`);
    }
  }

  /** Resolves when they have heard it. */
  async hears(text: string): Promise<void> {
    if (!this.#heard.has(text)) await new Promise<void>((resolve) => this.#waiting.set(text, resolve));
  }

  #hear({ channel, from, data }: Message): void {
    const text = String(data);
    console.log(`${this.name} hears in ${channel}, ${from}: ${text}`);
    this.#heard.add(text);
    this.#waiting.get(text)?.();
  }

  #told(event: 'joined' | 'left', group: string): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#client.on(event, ({ channel }) => {
        if (channel !== group) return;
        stop();
        resolve();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
