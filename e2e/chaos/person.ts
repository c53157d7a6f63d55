import {
  PublishRefusedError,
  PublishTimeoutError,
  RingwayClient,
  type RingwayError,
  type StateChange,
} from '@ringway/client';
import { type Cluster, waitFor } from '@ringway/testkit';
import type { Place, PublishRecord, SessionRecord } from './record.ts';
import { spyingWebSocket } from './spy-socket.ts';

/** How long a publish may take before its sender gives it up, in milliseconds. */
export const PUBLISH_TIMEOUT_MS = 20_000;

/** What everyone of a run writes down together. */
export interface Ledger {
  readonly publishes: PublishRecord[];
  readonly byId: Map<string, PublishRecord>;
  moves: number;
  readonly closes: Map<number, number>;
  readonly errors: Map<string, number>;
}

export function newLedger(): Ledger {
  return { publishes: [], byId: new Map(), moves: 0, closes: new Map(), errors: new Map() };
}

/** A user with one client of the SDK, who writes down all that it sees and says. */
export class ChaosPerson {
  readonly userId: string;
  readonly record: SessionRecord;
  readonly client: RingwayClient;
  readonly groups = new Set<string>();
  /** Its session is where it is because it could not reach its home: nobody sends it there before the ring changes. */
  avoiding = false;
  readonly #ledger: Ledger;
  #said = 0;

  constructor(cluster: Cluster, userId: string, ledger: Ledger) {
    this.userId = userId;
    this.#ledger = ledger;
    this.record = { name: userId, userId, sights: [] };
    this.client = new RingwayClient({
      locator: cluster.locators.map(({ publicUrl }) => publicUrl),
      getToken: () => cluster.callerToken(userId),
      publishTimeoutMs: PUBLISH_TIMEOUT_MS,
      WebSocket: spyingWebSocket({
        refused: (id) => {
          const publish = ledger.byId.get(id);
          if (publish) publish.refusedOnce = true;
        },
        move: () => {
          ledger.moves += 1;
        },
        closed: (code) => count(ledger.closes, code),
        welcomed: (via) => {
          this.avoiding = via === 'avoid';
        },
      }),
    });
    const { sights } = this.record;
    this.client.on('message', ({ channel, id, from, position }) =>
      sights.push({ kind: 'message', at: performance.now(), channel, id, from, position }),
    );
    this.client.on('gap', (gap) => sights.push({ kind: 'gap', at: performance.now(), ...gap }));
    this.client.on('state', ({ new: state, code }: StateChange) =>
      sights.push({ kind: 'state', at: performance.now(), state, code }),
    );
    this.client.on('error', (error: RingwayError) => count(ledger.errors, `${error.name} ${error.code}`));
  }

  async arrive(): Promise<void> {
    const { channel, position } = await this.client.connect();
    this.record.sights.unshift({ kind: 'subscribed', at: performance.now(), channel, position });
  }

  /** Joins a group, or waits to be in `all`; resolves once the node has taken it in. */
  async join(channel: string): Promise<void> {
    // what came between the node's answer and this promise belongs to the stay already
    const { sights } = this.record;
    const index = sights.length;
    const position = channel === 'all' ? await this.#unasked(channel) : await this.client.join(channel);
    sights.splice(index, 0, { kind: 'subscribed', at: performance.now(), channel, position });
    this.groups.add(channel);
  }

  /** The same in the midst of trouble, where a join may be given up: then it is no member any more. */
  async rejoin(channel: string): Promise<void> {
    await this.join(channel).catch((error: Error) => count(this.#ledger.errors, `join ${error.name}`));
  }

  leave(channel: string): void {
    this.record.sights.push({ kind: 'left', at: performance.now(), channel });
    this.groups.delete(channel);
    this.client.leave(channel);
  }

  /** Says something new to a channel; what becomes of it is written down. */
  async say(channel: string): Promise<PublishRecord> {
    const n = ++this.#said;
    const id = `${this.userId}.${n}`;
    const publish: PublishRecord = {
      id,
      from: `user:${this.userId}`,
      channel,
      n,
      sentAt: performance.now(),
      outcome: 'pending',
    };
    this.#ledger.publishes.push(publish);
    this.#ledger.byId.set(id, publish);
    try {
      const { position, duplicate } = await this.client.publish(channel, { n, channel }, { id });
      Object.assign(publish, { outcome: 'confirmed', duplicate, ...(position && { position }) });
    } catch (error) {
      publish.outcome = error instanceof PublishRefusedError && !error.retryable ? 'refused' : 'unknown';
      const cause = error instanceof PublishTimeoutError ? error.cause : undefined;
      publish.why = `${String(error)}${cause instanceof Error ? `, ${cause.message}` : ''}`;
    }
    publish.answeredAt = performance.now();
    return publish;
  }

  /** Whether a message has been handed to it. */
  heard(id: string): boolean {
    return this.record.sights.some((sight) => sight.kind === 'message' && sight.id === id);
  }

  #unasked(channel: string): Promise<Place> {
    return waitFor(() => this.client.position(channel), { message: `${this.userId} is in ${channel}` });
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
