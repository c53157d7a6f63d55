import { isDeepStrictEqual } from 'node:util';
import {
  type ClientOptions,
  type Gap,
  type Message,
  RingwayClient,
  type RingwayError,
  type StateChange,
} from '@ringway/client';
import { type CallerOptions, type Cluster, waitFor } from '@ringway/testkit';

export interface PersonOptions extends CallerOptions {
  /** Options of the SDK besides. */
  readonly sdk?: Partial<ClientOptions>;
}

/** A user with one session of the SDK, who remembers all that came. */
export class Person {
  readonly userId: string;
  readonly client: RingwayClient;
  readonly messages: Message[] = [];
  readonly gaps: Gap[] = [];
  readonly errors: RingwayError[] = [];
  readonly states: StateChange[] = [];

  constructor(cluster: Cluster, userId: string, { sdk, ...caller }: PersonOptions = {}) {
    this.userId = userId;
    this.client = new RingwayClient({
      locator: cluster.locators.map(({ publicUrl }) => publicUrl),
      getToken: () => cluster.callerToken(userId, caller),
      ...sdk,
    });
    this.client.on('message', (message) => this.messages.push(message));
    this.client.on('gap', (gap) => {
      // homes that follow each other while the nodes of a stage start may leave one where nothing was ever said
      if (gap.channel !== 'all' || this.messages.some(({ channel }) => channel === 'all'))
        this.gaps.push(gap);
    });
    this.client.on('error', (error) => this.errors.push(error));
    this.client.on('state', (change) => this.states.push(change));
  }

  /** What the messages said, in the order in which they came. */
  get heard(): unknown[] {
    return this.messages.map(({ data }) => data);
  }

  /** The node of the present session; undefined while there is none. */
  get nodeId(): string | undefined {
    return this.client.session?.nodeId;
  }

  /** Resolves with the message that says this, once it has come. */
  async hears(data: unknown, timeout = 15_000): Promise<Message> {
    try {
      return await waitFor(() => this.messages.find((message) => isDeepStrictEqual(message.data, data)), {
        timeout,
        message: `${this.userId} hears ${JSON.stringify(data)}`,
      });
    } catch (cause) {
      throw new Error(`what ${this.userId} saw: ${this.story()}`, { cause });
    }
  }

  /** Everything that happened to it, for messages. */
  story(): string {
    const { messages, gaps, states, client } = this;
    const errors = this.errors.map(({ name, message }) => `${name}: ${message}`);
    const position = client.position(`user:${this.userId}`);
    const heard = messages.slice(-20).map((message) => [message.data, message.position]);
    return JSON.stringify({ session: client.session, position, states, gaps, errors, heard });
  }

  /** Resolves when the session stands on that node. */
  async arrives(nodeId: string, timeout = 20_000): Promise<void> {
    await waitFor(() => this.nodeId === nodeId, {
      timeout,
      interval: 2,
      message: `${this.userId} is on ${nodeId}`,
    });
  }

  tell(user: string | Person, data: unknown, options: { id?: string; timeoutMs?: number } = {}) {
    return this.client.publish(`user:${typeof user === 'string' ? user : user.userId}`, data, options);
  }

  leave(): Promise<void> {
    return this.client.close();
  }
}
