import type { Position } from '@ringway/protocol';
import type { Log } from '../log/port.ts';
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
import { answerRead } from './remote-reads.ts';

/** What the requests of peers are served with. */
export interface PeerRequestsContext {
  readonly placement: Placement;
  readonly home: Home;
  readonly log: Log;
  readonly local: LocalChannels;
  linkTowards(id: string): Outbound | undefined;
  /** After two hops it waits here until this node is home, or is refused. */
  route(publication: Publication, dedupe: boolean, hops: number): void;
}

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
    const { correlation, channel, dedupe } = record;
    const done =
      correlation === 0
        ? undefined
        : (outcome: Outcome): void => {
            const published = outcome.kind === 'published' ? outcome : undefined;
            from.send(
              encodeAnswer({
                correlation,
                code: outcome.kind === 'failed' ? outcome.code : undefined,
                duplicate: published?.duplicate ?? false,
                reached: published?.reached ?? 0,
                position: published?.position,
              }),
            );
          };
    const { from: sender, id, data, ephemeral } = record;
    const publication = { channel, from: sender, id, data, ephemeral, done, asker: done && from };
    // who is not home forwards once: the owner sees a newer ring, or hears what the sender does not
    this.context.route(publication, dedupe, record.forwarded ? 2 : 1);
  }

  private onList(from: Inbound, record: ListRecord): void {
    this.relayed++;
    const { correlation, channels, dedupe, from: sender, id, data, ephemeral } = record;
    const settle = gather(channels.length, (outcomes) => {
      from.send(encodeControl({ t: 'listed', correlation, outcomes: outcomes.map(listOutcome) }));
    });
    for (const [index, channel] of channels.entries()) {
      const done = correlation === 0 ? undefined : (outcome: Outcome): void => settle(index, outcome);
      const asker = done && from;
      this.context.route({ channel, from: sender, id, data, ephemeral, done, asker }, dedupe, 1);
    }
  }

  private onControl(from: Inbound, control: Control): void {
    switch (control.t) {
      case 'interest': {
        const { correlation, channel, sessions, position } = control;
        const refuse = (): void =>
          from.send(encodeControl({ t: 'interested', correlation, code: 'unavailable' }));
        if (this.context.placement.of(channel).kind !== 'self') refuse();
        else {
          const accept = (start: Position): void =>
            from.send(encodeControl({ t: 'interested', correlation, start }));
          this.context.home.register(from, channel, sessions, position, accept, refuse);
        }
        return;
      }
      case 'sessions':
        this.context.home.setSessions(from, control.channel, control.sessions);
        return;
      case 'read':
        answerRead(this.context.log, this.context.placement, from, control);
        return;
      case 'kick':
        this.kick(control.channel, control.banSeconds, control.forwarded);
        return;
      default:
      // of a later version, or not for this side
    }
  }
}
