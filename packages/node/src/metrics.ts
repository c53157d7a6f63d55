import { measureEventLoopLag } from '@ringway/service';
import { Registry } from 'prom-client';
import { Scraped } from './scraped.ts';

/** Plain counters by label: a message must not pay for a metrics library, a scrape may. */
export class Tally {
  private readonly counts = new Map<string, number>();

  add(label: string, by = 1): void {
    this.counts.set(label, (this.counts.get(label) ?? 0) + by);
  }

  entries(): Iterable<[string, number]> {
    return this.counts.entries();
  }
}

/** Where the values come from when a scrape asks. */
export interface MetricsSources {
  sessions(): number;
  readonly sessionsLimit: number;
  guests(): number;
  standbys(): number;
  channels(): number;
  peers(): { readonly open: number; readonly wanted: number };
  relayFrames(): number;
  delivered(): number;
  repeats(): number;
  lagging(): number;
  gaps(): number;
  dropped(): number;
  mismatches(): number;
  stops(): number;
  sendBufferBytes(): number;
  logBytes(): number;
  ringAgeSeconds(): number;
  ringMembers(): number;
  readonly publishes: Tally;
  readonly closes: Tally;
  readonly moves: Tally;
  movesPending(): number;
  movesLeft(): number;
  draining(): boolean;
  readonly refused: Tally;
  readonly membersRejected: Tally;
}

/** The metrics of one node, in a registry of its own: several nodes may live in one process. */
export function nodeMetrics(sources: MetricsSources): { readonly registry: Registry; close(): void } {
  const registry = new Registry();
  const scraped = new Scraped(registry);
  scraped.gauge('ringway_sessions', 'Sessions on this node.', () => sources.sessions());
  scraped.gauge('ringway_sessions_limit', 'Most sessions that this node takes.', () => sources.sessionsLimit);
  scraped.gauge('ringway_channels', 'Channels that this node holds: those of its sessions, and all.', () =>
    sources.channels(),
  );
  scraped.gauge(
    'ringway_guest_channels',
    'Channels with sessions on this node whose home is another node.',
    () => sources.guests(),
  );
  scraped.gauge(
    'ringway_standby_channels',
    'Channels whose holders this node sends to should it become their home.',
    () => sources.standbys(),
  );
  scraped.gauge('ringway_peer_links', 'Links to peers that are open.', () => sources.peers().open);
  scraped.gauge(
    'ringway_peer_links_wanted',
    'Links to peers that there should be.',
    () => sources.peers().wanted,
  );
  scraped.gauge('ringway_send_buffer_bytes', 'Bytes that clients have not taken yet.', () =>
    sources.sendBufferBytes(),
  );
  scraped.gauge('ringway_log_bytes', 'Memory that the kept messages take, as an estimate.', () =>
    sources.logBytes(),
  );
  scraped.gauge('ringway_ring_age_seconds', 'Seconds since the registry last confirmed the ring.', () =>
    sources.ringAgeSeconds(),
  );
  scraped.gauge('ringway_ring_members', 'Members of the ring.', () => sources.ringMembers());
  scraped.counter(
    'ringway_relay_frames_total',
    'Publications that came from peers, and deliveries sent to peers.',
    () => sources.relayFrames(),
  );
  scraped.counter('ringway_delivered_total', 'Messages written to sessions.', () => sources.delivered());
  scraped.counter(
    'ringway_repeats_total',
    'Messages that were not delivered because they had been before.',
    () => sources.repeats(),
  );
  scraped.counter(
    'ringway_lags_total',
    'Times that a client took too little and was given a channel from the log instead of the live stream.',
    () => sources.lagging(),
  );
  scraped.counter('ringway_gaps_total', 'Gaps told to the sessions of a channel.', () => sources.gaps());
  scraped.counter(
    'ringway_publishes_dropped_total',
    'Publishes without an answer that could not be placed.',
    () => sources.dropped(),
  );
  scraped.counter('ringway_ring_mismatch_total', 'Batches from peers that see another ring.', () =>
    sources.mismatches(),
  );
  scraped.counter(
    'ringway_stops_total',
    'Times that the process stood still for so long that others may have taken its place.',
    () => sources.stops(),
  );
  scraped.tally('ringway_publishes_total', 'Publishes by what became of them.', 'result', () =>
    sources.publishes.entries(),
  );
  scraped.tally('ringway_closes_total', 'Sessions and upgrades that were ended, by close code.', 'code', () =>
    sources.closes.entries(),
  );
  scraped.gauge('ringway_moves_pending', 'Sessions that were told to move and have not gone yet.', () =>
    sources.movesPending(),
  );
  scraped.gauge('ringway_moves_left', 'Sessions that belong elsewhere and are to be told.', () =>
    sources.movesLeft(),
  );
  scraped.gauge(
    'ringway_draining',
    '1 while the node takes no sessions and sends away those that it has.',
    () => (sources.draining() ? 1 : 0),
  );
  scraped.tally(
    'ringway_moves_total',
    'Sessions that were sent to another node, by how it went.',
    'result',
    () => sources.moves.entries(),
  );
  scraped.tally(
    'ringway_refused_total',
    'What was refused before it was a session, by reason.',
    'reason',
    () => sources.refused.entries(),
  );
  scraped.tally(
    'ringway_members_rejected_total',
    'Registrations kept out of the ring, by reason.',
    'reason',
    () => sources.membersRejected.entries(),
  );
  const stopLag = measureEventLoopLag(registry);
  return { registry, close: stopLag };
}
