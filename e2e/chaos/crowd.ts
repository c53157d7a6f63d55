import { type Cluster, waitFor } from '@ringway/testkit';
import { ChaosPerson, type Ledger, newLedger, PUBLISH_TIMEOUT_MS } from './person.ts';
import type { SeededRandom } from './random.ts';
import type { Holding, RunRecord } from './record.ts';

/** Whose user is whose. */
export type HomeOf = (userId: string) => string | undefined;

export interface CrowdOptions {
  readonly people: number;
  readonly groups: number;
  /** Of each group. */
  readonly members: number;
  /** Publishes a second, all together. */
  readonly rate: number;
  /** Share of them that go to groups. */
  readonly toGroups: number;
  /** They talk in the channel `all` as well, and nobody else is on the cluster; false by default. */
  readonly all?: boolean;
  /** Tells the people and groups of this crowd from those of another one on the same cluster; none by default. */
  readonly tag?: string;
}

/** How long everyone may take to be connected again, and to hear a last word, once things are calm, in milliseconds. */
const CALM_MS = 45_000;

/** Everyone who talks: users with a client each, who publish to each other and to groups until they are told to stop. */
export class Crowd implements AsyncDisposable {
  readonly people: readonly ChaosPerson[];
  /** With `all` among them, where that is wanted. */
  readonly groups: readonly string[];
  readonly ledger: Ledger = newLedger();
  readonly #options: CrowdOptions;
  readonly #random: SeededRandom;
  readonly #pending = new Set<Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #owed = 0;
  #tickedAt = 0;

  constructor(cluster: Cluster, options: CrowdOptions, random: SeededRandom) {
    this.#options = options;
    this.#random = random;
    const { tag = '' } = options;
    this.people = Array.from(
      { length: options.people },
      (_, i) => new ChaosPerson(cluster, `${tag}user-${i}`, this.ledger),
    );
    const rooms = Array.from({ length: options.groups }, (_, i) => `group:${tag}room-${i}`);
    this.groups = options.all ? [...rooms, 'all'] : rooms;
  }

  /** Everyone connects, and each group gets its members. */
  async arrive(): Promise<void> {
    await Promise.all(this.people.map((person) => person.arrive()));
    const { members } = this.#options;
    await Promise.all(
      this.groups.flatMap((group, g) =>
        Array.from({ length: group === 'all' ? this.people.length : members }, (_, i) =>
          this.people[(g * members + i) % this.people.length]?.join(group),
        ),
      ),
    );
  }

  /** They talk from now on. */
  start(): void {
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), 20);
  }

  /** Nobody says anything new; resolves when all that was said is answered or given up. */
  async hush(): Promise<void> {
    clearInterval(this.#timer);
    await waitFor(() => this.#pending.size === 0, {
      timeout: PUBLISH_TIMEOUT_MS + 10_000,
      interval: 50,
      message: 'everything that was said is answered',
    });
  }

  /** Waits, within a bound, until everyone is connected; who is not then is found by the checker. */
  async gather(): Promise<void> {
    await patiently(() => this.people.every(({ client }) => client.state === 'connected'));
  }

  /** Waits, within a bound, until everyone is where the ring wants it. */
  async settle(homeOf: HomeOf): Promise<void> {
    await patiently(() =>
      this.people.every(
        ({ client, userId, avoiding }) => avoiding || client.session?.nodeId === homeOf(userId),
      ),
    );
  }

  /**
   * A last word to each channel, and the time to hear it: after that, what was said before it cannot come any more.
   * Members of a channel that do not hear it are found by the checker, for it is a message like any other.
   */
  async lastWord(): Promise<void> {
    const channels = [...this.people.map(({ userId }) => `user:${userId}`), ...this.groups];
    const said = await Promise.all(
      channels.map((channel, i) => (this.people[i % this.people.length] as ChaosPerson).say(channel)),
    );
    for (const publish of said) publish.calm = true;
    const due = said
      .filter(({ outcome }) => outcome === 'confirmed')
      .flatMap(({ id, channel }) => this.#membersOf(channel).map((person) => ({ person, id })));
    let left = due;
    await patiently(() => {
      left = left.filter(({ person, id }) => !person.heard(id));
      return left.length === 0;
    });
  }

  /** What there is to judge. */
  record(homeOf: HomeOf = () => undefined, holdings: readonly Holding[] = []): RunRecord {
    return {
      publishes: this.ledger.publishes,
      sessions: this.people.map((person) => person.record),
      standings: this.people.map(({ userId, client, avoiding }) => ({
        session: userId,
        avoiding,
        state: client.state,
        node: client.session?.nodeId,
        home: homeOf(userId),
      })),
      holdings,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.people.map(({ client }) => client.close()));
  }

  #membersOf(channel: string): readonly ChaosPerson[] {
    return this.people.filter(({ userId, groups }) => channel === `user:${userId}` || groups.has(channel));
  }

  #tick(): void {
    const now = performance.now();
    this.#owed += ((now - this.#tickedAt) / 1000) * this.#options.rate;
    this.#tickedAt = now;
    for (; this.#owed >= 1; this.#owed -= 1) this.#speak();
  }

  #speak(): void {
    const random = this.#random;
    const speaker = random.pick(this.people);
    const toGroup = this.groups.length > 0 && random.next() < this.#options.toGroups;
    const channel = toGroup ? random.pick(this.groups) : `user:${random.pick(this.people).userId}`;
    this.#keep(speaker.say(channel));
    // now and then somebody leaves a group and comes back
    const [group] = speaker.groups;
    if (group !== undefined && group !== 'all' && random.next() < 0.002) {
      speaker.leave(group);
      this.#keep(speaker.rejoin(group));
    }
  }

  #keep(work: Promise<unknown>): void {
    const kept: Promise<unknown> = work.finally(() => this.#pending.delete(kept));
    this.#pending.add(kept);
  }
}

/** Until it is so, or the time is over: what is wrong then is for the checker to say. */
async function patiently(condition: () => boolean): Promise<void> {
  await waitFor(condition, { timeout: CALM_MS, interval: 100, message: 'calm' }).catch(() => {});
}
