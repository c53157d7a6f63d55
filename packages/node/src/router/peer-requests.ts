import type { Position } from '@ringway/protocol';
import type { Inbound } from '../peers/inbound.ts';
import type { Outbound } from '../peers/outbound.ts';
import {
  type Control,
  encodeAnswer,
  encodeControl,
  KIND,
  type ListRecord,
  type PeerRecord,
  type PublishRecord,
} from '../peers/wire.ts';
import type { Home } from './home.ts';
import { gather, listOutcome } from './lists.ts';
import type { Placement } from './placement.ts';
import type { LocalChannels, Outcome, Publication } from './port.ts';
import type { ReadRequests } from './read-requests.ts';

/** What the requests of peers are served with. */
export interface PeerRequestsContext {
  readonly placement: Placement;
  readonly home: Home;
  readonly reads: ReadRequests;
  readonly local: LocalChannels;
  linkTowards(id: string): Outbound | undefined;
  route(publication: Publication, dedupe: boolean, hops: 1): void;
  /** One that may not be sent on any more; false when this node is not its home. */
  placeLast(publication: Publication, dedupe: boolean): boolean;
  /** A peer has left the ring, and wants to go. */
  release(from: Inbound, correlation: number): void;
  /** What concerns who is there, or is of a later version. */
  presence(from: Inbound, control: Control): void;
  /** A publication whose sender asked for no answer was not stored. */
  lost(): void;
}

const NOWHERE = Object.freeze({ duplicate: false, reached: 0, position: undefined });

/** Serves what peers ask for on the links that they dialled: publications, interest, reads, kicks. */
export class PeerRequests {
  private readonly context: PeerRequestsContext;
  /** Publish and list records that came from peers. */
  relayed = 0;

  constructor(context: PeerRequestsContext) {
    this.context = context;
  }

  handle(from: Inbound, record: PeerRecord): void {
    switch (record.kind) {
      case KIND.publish:
        return this.onPublish(from, record);
      case KIND.list:
        return this.onList(from, record);
      case KIND.control:
        return this.onControl(from, record.control);
      default:
      // answers and deliveries do not come this way
    }
  }

  /** Ends a user's sessions at the home and from there at its holders, and those that are here in any case. */
  kick(channel: string, banSeconds: number, forwarded: boolean): void {
    const place = this.context.placement.of(channel);
    if (place.kind === 'peer' && !forwarded) {
      const record = encodeControl({ t: 'kick', channel, banSeconds, forwarded: true });
      this.context.linkTowards(place.member.id)?.send(record);
    }
    this.context.local.kick(channel, banSeconds);
    const record = encodeControl({ t: 'kick', channel, banSeconds, forwarded: true });
    for (const holder of this.context.home.holdersOf(channel)) holder.send(record);
  }

  private onPublish(from: Inbound, record: PublishRecord): void {
    this.relayed++;
    const { correlation, channel, dedupe, forwarded, again, from: sender, id, data, ephemeral } = record;
    const settled = from.backlog.taken();
    const done = (outcome: Outcome): void => {
      settled();
      const failed = outcome.kind === 'failed';
      if (correlation === 0) {
        if (failed) this.context.lost();
        return;
      }
      from.send(
        encodeAnswer({
          correlation,
          code: failed ? outcome.code : undefined,
          duplicate: !failed && outcome.duplicate,
          reached: failed ? 0 : outcome.reached,
          position: failed ? undefined : outcome.position,
        }),
      );
    };
    const asker = correlation === 0 ? undefined : from;
    const publication = { channel, from: sender, id, data, ephemeral, done, asker };
    // who is not home forwards once: the owner sees a newer ring, or hears what the sender does not
    if (!forwarded) return this.context.route(publication, dedupe, 1);
    if (!this.turnsBack(from, channel, again) && this.context.placeLast(publication, dedupe)) return;
    // whoever sent it on finds out where it goes now
    settled();
    if (correlation === 0) this.context.lost();
    else from.send(encodeAnswer({ correlation, code: 'not_home', ...NOWHERE }));
  }

  /**
   * Whether a forwarded publication goes back to whoever sent it on, because this node is not the channel's home. Once one
   * did, those that were on their way behind it do, too, even where this node has become the home meanwhile.
   */
  private turnsBack({ turnedBack }: Inbound, channel: string, again: boolean): boolean {
    if (again) turnedBack.delete(channel);
    if (this.context.placement.of(channel).kind === 'self') return !again && turnedBack.has(channel);
    turnedBack.add(channel);
    return true;
  }

  private onList(from: Inbound, record: ListRecord): void {
    this.relayed++;
    const { correlation, channels, dedupe, from: sender, id, data, ephemeral } = record;
    const settled = from.backlog.taken();
    const settle = gather(channels.length, (outcomes) => {
      settled();
      if (correlation !== 0)
        from.send(encodeControl({ t: 'listed', correlation, outcomes: outcomes.map(listOutcome) }));
    });
    if (channels.length === 0) settled();
    for (const [index, channel] of channels.entries()) {
      const done = (outcome: Outcome): void => {
        if (correlation === 0 && outcome.kind === 'failed') this.context.lost();
        settle(index, outcome);
      };
      const asker = correlation === 0 ? undefined : from;
      this.context.route({ channel, from: sender, id, data, ephemeral, done, asker }, dedupe, 1);
    }
  }

  private onControl(from: Inbound, control: Control): void {
    switch (control.t) {
      case 'interest': {
        const { correlation, channel, position } = control;
        const isHome = (): boolean => this.context.placement.of(channel).kind === 'self';
        const refuse = (): void => {
          const place = this.context.placement.of(channel);
          const hint = place.kind === 'peer' ? { home: place.member.id } : {};
          from.send(encodeControl({ t: 'interested', correlation, code: 'unavailable', ...hint }));
        };
        if (!isHome()) refuse();
        else {
          const accept = (start: Position, goesOn: boolean): void =>
            from.send(encodeControl({ t: 'interested', correlation, start, goesOn }));
          this.context.home.register(from, channel, control, position, accept, refuse, isHome);
        }
        return;
      }
      case 'sessions':
        if (control.sessions === 0 && !control.kept) this.context.home.withdraw(from, control.channel);
        else this.context.home.setSessions(from, control.channel, control.sessions, control.since);
        return;
      case 'standby':
        for (const item of control.items) {
          const isHome = this.context.placement.of(item.channel).kind === 'self';
          this.context.home.standBy(from, item, isHome);
        }
        return;
      case 'read':
        this.context.reads.handle(from, control);
        return;
      case 'check':
        this.context.home.check(from, control.items);
        return;
      case 'release':
        this.context.release(from, control.correlation);
        return;
      case 'sync': {
        const { correlation } = control;
        from.backlog.whenSettled(() => from.send(encodeControl({ t: 'synced', correlation })));
        return;
      }
      case 'kick':
        this.kick(control.channel, control.banSeconds, control.forwarded);
        return;
      default:
        this.context.presence(from, control);
    }
  }
}
