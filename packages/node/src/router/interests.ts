import type { Holder } from './home.ts';

const NONE: ReadonlyMap<Holder, number> = new Map();

/** Interest of one holder in one channel. */
export interface Interest {
  readonly holder: Holder;
  readonly sessions: number;
  /** When the first of them began; not told by all, nor of all channels. */
  readonly since: number | undefined;
}

/** Which other nodes hold subscribers of which channel, and how many: channel -> holder -> its sessions. */
export class Interests {
  private readonly holders = new Map<string, Map<Holder, number>>();
  /** Apart, for only those of users have one. */
  private readonly sinces = new Map<string, Map<Holder, number>>();
  private readonly changed: (channel: string) => void;

  /** `changed` is called behind each change of a channel's holders or of how many sessions they have. */
  constructor(changed: (channel: string) => void = () => {}) {
    this.changed = changed;
  }

  /** Undefined where nobody holds the channel: asked for each message. */
  get(channel: string): ReadonlyMap<Holder, number> | undefined {
    return this.holders.get(channel);
  }

  has(holder: Holder, channel: string): boolean {
    return this.holders.get(channel)?.has(holder) === true;
  }

  get size(): number {
    return this.holders.size;
  }

  channels(): Iterable<string> {
    return this.holders.keys();
  }

  *of(channel: string): Iterable<Interest> {
    const sinces = this.sinces.get(channel);
    for (const [holder, sessions] of this.holders.get(channel) ?? NONE)
      yield { holder, sessions, since: sinces?.get(holder) };
  }

  set(holder: Holder, channel: string, sessions: number, since?: number): void {
    put(this.holders, channel, holder, sessions);
    if (since !== undefined) put(this.sinces, channel, holder, since);
    this.changed(channel);
  }

  delete(holder: Holder, channel: string): void {
    if (!cut(this.holders, channel, holder)) return;
    cut(this.sinces, channel, holder);
    this.changed(channel);
  }

  /** Takes all interest in a channel out. */
  take(channel: string): readonly Interest[] {
    const interests = [...this.of(channel)];
    this.sinces.delete(channel);
    if (this.holders.delete(channel)) this.changed(channel);
    return interests;
  }

  dropHolder(holder: Holder): void {
    for (const channel of this.holders.keys()) this.delete(holder, channel);
  }
}

type ByHolder = Map<string, Map<Holder, number>>;

function put(all: ByHolder, channel: string, holder: Holder, value: number): void {
  const holders = all.get(channel);
  if (holders) holders.set(holder, value);
  else all.set(channel, new Map([[holder, value]]));
}

function cut(all: ByHolder, channel: string, holder: Holder): boolean {
  const holders = all.get(channel);
  if (!holders?.delete(holder)) return false;
  if (holders.size === 0) all.delete(channel);
  return true;
}
