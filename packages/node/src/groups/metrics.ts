import { Gauge, type Registry } from 'prom-client';
import { Tally } from '../metrics.ts';
import { Scraped } from '../scraped.ts';
import type { MemoryRoster } from './memory.ts';
import {
  type MemberPage,
  type Roster,
  RosterFullError,
  RosterRefusedError,
  type RosterUser,
} from './port.ts';
import type { RedisRoster, RedisRosterHooks } from './redis.ts';

/** A roster of which every change is counted by what became of it. */
export class CountedRoster implements Roster {
  private readonly roster: Roster;
  private readonly changes = new Tally();

  constructor(roster: Roster) {
    this.roster = roster;
  }

  put(userId: string, group: string): Promise<void> {
    return this.counted('put', this.roster.put(userId, group));
  }

  remove(userId: string, group: string): Promise<void> {
    return this.counted('removed', this.roster.remove(userId, group));
  }

  groupsOf(userId: string): ReturnType<Roster['groupsOf']> {
    return this.roster.groupsOf(userId);
  }

  membersOf(group: string, after: string, limit: number): MemberPage | Promise<MemberPage> {
    return this.roster.membersOf(group, after, limit);
  }

  start(user: RosterUser): Promise<void> {
    return this.roster.start(user);
  }

  stop(): Promise<void> {
    return this.roster.stop();
  }

  register(registry: Registry): void {
    const { changes } = this;
    new Scraped(registry).tally(
      'ringway_membership_changes_total',
      'What backends have changed in groups: put, removed, and what was not: refused (unavailable), unknown, full.',
      'result',
      () => changes.entries(),
    );
  }

  private counted(done: string, change: Promise<void>): Promise<void> {
    change.then(
      () => this.changes.add(done),
      (error: unknown) => {
        const refused = error instanceof RosterRefusedError;
        this.changes.add(error instanceof RosterFullError ? 'full' : refused ? 'refused' : 'unknown');
      },
    );
    return change;
  }
}

/** Adds what a node measures of memberships that it keeps itself. */
export function registerMemoryRoster(registry: Registry, roster: MemoryRoster): void {
  const scraped = new Scraped(registry);
  new Gauge({
    name: 'ringway_memberships',
    help: 'Memberships that backends have made and that this node keeps (without Redis), and those that have ended within the last hour.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { present, ended } = roster.size;
      this.set({ state: 'present' }, present);
      this.set({ state: 'ended' }, ended);
    },
  });
  scraped.counter(
    'ringway_memberships_fetched_total',
    'Changes of memberships that this node was not told of at once, and fetched from a peer: at its start, or after a break.',
    () => roster.fetched,
  );
  scraped.counter(
    'ringway_memberships_overflowed_total',
    'Memberships that peers know and that are beyond what this node may keep: RINGWAY_MAX_MEMBERSHIPS is not the same everywhere.',
    () => roster.overflowed,
  );
}

/** What a node measures of memberships in Redis. */
export class RedisRosterMetrics implements RedisRosterHooks {
  private readonly errors = new Tally();

  failed(result: string): void {
    this.errors.add(result);
  }

  register(registry: Registry, roster: RedisRoster): void {
    const { errors } = this;
    const scraped = new Scraped(registry);
    scraped.gauge(
      'ringway_memberships_connected',
      'Whether memberships in Redis can be read and changed, and their changes heard: 1 or 0.',
      () => (roster.connected ? 1 : 0),
    );
    scraped.tally(
      'ringway_memberships_errors_total',
      'Calls about memberships that Redis refused, those whose outcome is unknown, connections to a Redis that may evict (unfit), and changes that could not be read.',
      'result',
      () => errors.entries(),
    );
  }
}
