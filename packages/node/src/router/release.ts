import type { Inbound } from '../peers/inbound.ts';
import type { Outbound } from '../peers/outbound.ts';
import { encodeControl } from '../peers/wire.ts';

/** For so long nobody must have asked for the past of a channel before a home goes away with it, in milliseconds. */
const QUIET_MS = 300;

export interface ReleaseOptions {
  readonly links: () => Iterable<Outbound>;
  readonly nextCorrelation: () => number;
  /**
   * Whether a member is in the ring as this node sees it. Not one that is alone there once this node has left as well: a
   * registry keeps the last one in the ring, and two that go at once would wait for each other.
   */
  readonly stays: (nodeId: string) => boolean;
  /** Whether this node has registered what it holds, and has read what lay between. */
  readonly settled: () => boolean;
  /** When somebody last read what this node has kept as a former home. */
  readonly lastReadAt: () => number;
  /** Longest wait for a peer's word, in milliseconds: one of the version before does not know what is asked. */
  readonly patienceMs: number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/**
 * How a home that has left the ring finds out that its channels are in other hands: it asks every peer to be released, and
 * a peer does so once it sees the ring without it, and has caught up on all that it holds.
 */
export class Release {
  private readonly options: ReleaseOptions;
  /** Peers that have been asked: by which question, and until when their word is waited for. */
  private readonly asked = new Map<Outbound, { readonly correlation: number; until: number }>();
  private readonly askers: { readonly from: Inbound; readonly correlation: number }[] = [];

  constructor(options: ReleaseOptions) {
    this.options = options;
  }

  /** Whether this node may go. To be asked again and again once it has left the ring; begins with the first time. */
  get released(): boolean {
    const { links, settled, lastReadAt, patienceMs, nextCorrelation } = this.options;
    const now = this.options.now();
    let all = settled() && now - lastReadAt() > QUIET_MS;
    for (const link of links()) {
      if (!link.open) continue;
      let asked = this.asked.get(link);
      if (asked === undefined) {
        asked = { correlation: nextCorrelation(), until: now + patienceMs };
        this.asked.set(link, asked);
        link.send(encodeControl({ t: 'release', correlation: asked.correlation }));
      }
      if (asked.until > now) all = false;
    }
    return all;
  }

  /** The answer to an earlier question, asked before this node was back in the ring in between, counts for nothing. */
  onReleased(link: Outbound, correlation: number): void {
    const asked = this.asked.get(link);
    if (asked?.correlation === correlation) asked.until = Number.NEGATIVE_INFINITY;
  }

  onLinkDown(link: Outbound): void {
    this.asked.delete(link);
  }

  /** This node is back in the ring. */
  cancel(): void {
    this.asked.clear();
  }

  /** A peer wants to go. */
  onRelease(from: Inbound, correlation: number): void {
    this.askers.push({ from, correlation });
    this.review();
  }

  /** Lets go of whoever has asked and may. */
  review(): void {
    if (this.askers.length === 0 || !this.options.settled()) return;
    for (const { from, correlation } of this.askers.splice(0)) {
      if (!from.open) continue;
      if (this.options.stays(from.nodeId)) this.askers.push({ from, correlation });
      else from.send(encodeControl({ t: 'released', correlation }));
    }
  }
}
