import { createHash } from 'node:crypto';
import { type Control, encodeControl } from '../peers/wire.ts';
import type { MembershipEntry, MembershipTable } from './membership-table.ts';

/** A link that this node dialled. */
export interface SyncLink {
  readonly open: boolean;
  send(record: string): boolean;
}

export interface MembershipSyncContext {
  readonly table: MembershipTable;
  /** How long a peer may take for an answer, in milliseconds. */
  readonly timeoutMs: number;
  nextCorrelation(): number;
  /** Peers that there should be links to. */
  wanted(): number;
  /** A peer knows this; it may be no news. */
  learned(entry: MembershipEntry): void;
  /** Monotonic clock, milliseconds. */
  now(): number;
  /** A random number in [0, 1). */
  random(): number;
}

/** How often tables are compared while nothing calls for it, in milliseconds; and how often at most with one peer. */
const PERIOD_MS = 30_000;
const LEAST_MS = 2_000;
/** Memberships of one record. */
const ENTRIES_A_PAGE = 1_000;

/** A comparison under way: with whom, what is asked, and which buckets are still to be read. */
interface Pull {
  readonly link: SyncLink;
  readonly buckets: number[];
  /** The peer is starting itself. */
  partial: boolean;
  correlation: number;
  deadline: number;
}

/**
 * Brings a node's memberships in line with its peers': what was said while a link was down, or before this node started,
 * was not heard. It asks one peer after the other for digests, and reads, a bucket at a time, what differs. Each
 * side reads from the other, so after a round both have what either had.
 */
export class MembershipSync {
  private readonly context: MembershipSyncContext;
  /** When each link's peer is to be asked. */
  private readonly due = new Map<SyncLink, number>();
  private readonly askedAt = new Map<SyncLink, number>();
  private pull: Pull | undefined;
  /** When a peer last told what was asked, by the monotonic clock in milliseconds. */
  heardAt = Number.NEGATIVE_INFINITY;
  private readonly first = Promise.withResolvers<void>();
  /** This node has started: before that it may know less than others do. */
  private whole = false;
  /** Peers that this node has been in line with. */
  private readonly compared = new Set<SyncLink>();

  constructor(context: MembershipSyncContext) {
    this.context = context;
  }

  /** Resolves once this node has been in line with a peer that was whole, or with all that there are. */
  get done(): Promise<void> {
    return this.first.promise;
  }

  /** This node knows what it is to know. */
  started(): void {
    this.whole = true;
  }

  onLinkOpen(link: SyncLink): void {
    this.due.set(link, this.context.now());
    this.tick();
  }

  onLinkDown(link: SyncLink): void {
    this.due.delete(link);
    this.askedAt.delete(link);
    this.compared.delete(link);
    if (this.pull?.link === link) this.next();
  }

  /** To be called every second or so. */
  tick(): void {
    const now = this.context.now();
    if (this.pull && this.pull.deadline > now) return;
    this.next();
  }

  /** A peer asks; `back` is the link to it, where there is one. What is returned answers it. */
  asked({ correlation, digest }: Asked, back: SyncLink | undefined): string {
    const { table, now } = this.context;
    const told = { t: 'rosterTold', correlation, ...(this.whole ? {} : { partial: true }) } as const;
    if (digest === digestOf(table)) return encodeControl(told);
    // what it does not know, this node may not either
    if (back?.open) {
      const soonest = Math.max(now(), (this.askedAt.get(back) ?? Number.NEGATIVE_INFINITY) + LEAST_MS);
      this.due.set(back, Math.min(this.due.get(back) ?? soonest, soonest));
    }
    return encodeControl({ ...told, digests: table.digests });
  }

  /** A peer reads a bucket: the records that it is given. */
  *read({ correlation, bucket }: Extract<Control, { t: 'rosterRead' }>): Iterable<string> {
    let entries: MembershipEntry[] = [];
    for (const entry of this.context.table.entries(bucket)) {
      if (entries.length === ENTRIES_A_PAGE) {
        yield encodeControl({ t: 'rosterPage', correlation, entries, more: true });
        entries = [];
      }
      entries.push(entry);
    }
    yield encodeControl({ t: 'rosterPage', correlation, entries, more: false });
  }

  told(
    from: SyncLink,
    { correlation, digests, partial = false }: Extract<Control, { t: 'rosterTold' }>,
  ): void {
    const { pull } = this;
    if (pull?.link !== from || pull.correlation !== correlation) return;
    pull.partial = partial;
    this.heardAt = this.context.now();
    const own = this.context.table.digests;
    for (const [bucket, digest] of digests?.entries() ?? [])
      if (own[bucket] !== digest) pull.buckets.push(bucket);
    this.readOn(pull);
  }

  page(from: SyncLink, { correlation, entries, more }: Extract<Control, { t: 'rosterPage' }>): void {
    const { pull, context } = this;
    if (pull?.link !== from || pull.correlation !== correlation) return;
    this.heardAt = context.now();
    for (const entry of entries) context.learned(entry);
    if (more) pull.deadline = context.now() + context.timeoutMs;
    else this.readOn(pull);
  }

  private readOn(pull: Pull): void {
    const bucket = pull.buckets.pop();
    if (bucket === undefined) {
      this.compared.add(pull.link);
      if (!pull.partial || this.compared.size >= this.context.wanted()) this.first.resolve();
      this.next();
    } else this.ask(pull, (correlation) => ({ t: 'rosterRead', correlation, bucket }));
  }

  /** The peer that is due first, if one is. */
  private next(): void {
    const { now, random, table } = this.context;
    this.pull = undefined;
    for (const [link, at] of this.due) {
      if (at > now() || !link.open) continue;
      this.due.set(link, now() + PERIOD_MS * (0.75 + random() / 2));
      this.askedAt.set(link, now());
      this.pull = { link, buckets: [], partial: false, correlation: 0, deadline: 0 };
      this.ask(this.pull, (correlation) => ({ t: 'rosterAsk', correlation, digest: digestOf(table) }));
      return;
    }
  }

  private ask(pull: Pull, control: (correlation: number) => Control): void {
    const { context } = this;
    pull.correlation = context.nextCorrelation();
    pull.deadline = context.now() + context.timeoutMs;
    pull.link.send(encodeControl(control(pull.correlation)));
  }
}

type Asked = Extract<Control, { t: 'rosterAsk' }>;

function digestOf(table: MembershipTable): string {
  return createHash('sha1').update(Int32Array.from(table.digests)).digest('base64');
}
