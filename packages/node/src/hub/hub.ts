import { type Position, samePosition } from '@ringway/protocol';
import type { Delivery, LocalChannels, Router, Subscriber } from '../router/port.ts';
import { whenever } from '../router/whenever.ts';
import { frame, messageFrame } from '../session/frames.ts';
import type { Session } from '../session/session.ts';
import { Turns } from '../turns.ts';
import { type Joiner, LocalChannel, type Waiting } from './local-channel.ts';

/** Messages read at a time to fill a hole. */
const PAGE = 256;
/** Holes read at once: a break of a link or of Redis can leave one in every channel, and each page takes memory. */
const READS_AT_ONCE = 32;

/** What the router asks that concerns sessions and not channels. */
export interface HubEvents {
  onKick(channel: string, banSeconds: number): void;
  onRelieved(): void;
}

/** The sessions of this node by channel: hands each message to those that subscribed, once and in order. */
export class Hub implements LocalChannels {
  private readonly router: Router;
  private readonly events: HubEvents;
  private readonly channels = new Map<string, LocalChannel>();
  private readonly turns = new Turns(READS_AT_ONCE);
  /** Messages written to sessions. */
  delivered = 0;
  /** Messages dropped because they had been delivered before. */
  repeats = 0;
  gaps = 0;
  reading = 0;

  constructor(router: Router, events: HubEvents) {
    this.router = router;
    this.events = events;
  }

  /** Subscribes a session; `joined` is called when the home knows, in this very turn where this node is the home. */
  subscribe(name: string, joiner: Joiner): LocalChannel {
    const known = this.channels.get(name);
    if (known && !known.joiners) {
      known.add(joiner.session);
      this.router.resubscribe(name, known.size);
      joiner.joined(known);
      return known;
    }
    const channel = known ?? new LocalChannel(name);
    channel.joiners?.set(joiner.session, joiner);
    if (known) return channel;
    this.open(channel, 1, {
      joined: () => this.joined(channel),
      failed: () => {
        for (const waiting of channel.joiners?.values() ?? []) waiting.failed();
      },
    });
    return channel;
  }

  /** Holds a channel for the node itself, whether sessions are in it or not, until {@link release}. */
  hold(name: string, { joined, failed }: Waiting): void {
    const opened = (channel: LocalChannel): void => {
      channel.joiners = undefined;
      joined(channel);
    };
    this.open(new LocalChannel(name), 0, { joined: opened, failed });
  }

  /** A channel that was held is held no longer, or no longer asked for. */
  release(name: string): void {
    if (this.channels.delete(name)) this.router.unsubscribe(name);
  }

  unsubscribe(channel: LocalChannel, session: Session): void {
    const { joiners, name } = channel;
    if (!channel.remove(session)) joiners?.delete(session);
    if (this.channels.get(name) !== channel) return;
    if (channel.size === 0 && !joiners?.size) {
      this.channels.delete(name);
      this.router.unsubscribe(name);
    } else if (!joiners) this.router.resubscribe(name, channel.size);
  }

  get(name: string): LocalChannel | undefined {
    return this.channels.get(name);
  }

  get size(): number {
    return this.channels.size;
  }

  deliver(name: string, delivery: Delivery, ordered: 'here' | 'elsewhere'): number {
    const channel = this.channels.get(name);
    if (!channel) return 0;
    const { position, previous } = delivery;
    let told = delivery;
    if (position && previous) {
      const { position: before, at } = channel;
      if (!at) return 0;
      if (channel.filling !== 'no') {
        if (channel.filling === 'reading') channel.filling = 'again';
        return 0;
      }
      if (!samePosition(previous, at)) {
        if (position.epoch === at.epoch && position.seq <= at.seq) this.repeats++;
        else this.fill(channel);
        return 0;
      }
      if (channel.isRepeat(delivery)) {
        // the sessions stay where they are: for them the next message follows the one before
        channel.alias = position;
        this.repeats++;
        return 0;
      }
      channel.position = position;
      if (channel.alias) {
        told = { ...delivery, previous: before };
        channel.alias = undefined;
      }
      if (ordered === 'elsewhere') channel.remember(delivery);
    }
    const { size, sessions } = channel;
    if (size === 0) return 0;
    const text = messageFrame(channel.messageHead, told);
    for (const session of sessions) session.deliver(channel, text, told.previous);
    this.delivered += size;
    return size;
  }

  continueFrom(name: string, start: Position, goesOn: boolean): void {
    const channel = this.channels.get(name);
    const at = channel?.at;
    if (!channel || !at || channel.isAt(start)) return;
    if (start.epoch === at.epoch && start.seq < at.seq) return;
    if (goesOn) channel.goOnAs(start);
    else if (channel.filling === 'no') this.fill(channel);
    else channel.filling = 'anew';
  }

  positionOf(name: string): Position | undefined {
    return this.channels.get(name)?.at;
  }

  subscribersOf(name: string): Iterable<Subscriber> {
    const channel = this.channels.get(name);
    return channel?.joiners?.keys() ?? channel?.sessions ?? [];
  }

  kick(channel: string, banSeconds: number): void {
    this.events.onKick(channel, banSeconds);
  }

  relieved(): void {
    this.events.onRelieved();
  }

  *held(): Iterable<{ channel: string; point: number; position: Position | undefined; sessions: number }> {
    for (const { name, point, position, size } of this.channels.values()) {
      yield { channel: name, point, position, sessions: size };
    }
  }

  private open(channel: LocalChannel, sessions: number, { joined, failed }: Waiting): void {
    const { name } = channel;
    this.channels.set(name, channel);
    this.router.subscribe(name, sessions, {
      accepted: (start) => {
        channel.position = start;
        if (this.channels.get(name) === channel) joined(channel);
      },
      failed: () => {
        if (this.channels.get(name) !== channel) return;
        this.channels.delete(name);
        failed();
      },
    });
  }

  private joined(channel: LocalChannel): void {
    const joiners = channel.joiners ?? new Map<Session, Joiner>();
    channel.joiners = undefined;
    for (const session of joiners.keys()) channel.add(session);
    if (joiners.size > 1) this.router.resubscribe(channel.name, joiners.size);
    for (const joiner of joiners.values()) joiner.joined(channel);
  }

  /** Messages were missed: reads them from the log, and what came meanwhile, until the channel is where the log is. */
  private fill(channel: LocalChannel): void {
    const since = channel.at;
    if (!since) return;
    channel.filling = 'reading';
    this.reading++;
    this.turns.take(() => this.read(channel, since));
  }

  private read(channel: LocalChannel, since: Position): void {
    // everyone has left while it waited
    if (this.channels.get(channel.name) !== channel) {
      this.filled(channel);
      return;
    }
    whenever(
      this.router.history(channel.name, since, PAGE),
      ({ start, messages, end }) => {
        const again = this.filled(channel) !== 'reading';
        if (this.channels.get(channel.name) !== channel) return;
        if (!channel.isAt(since)) {
          // the stream went on elsewhere: what was read is of the one before, what came meanwhile is not
          if (again) this.fill(channel);
          return;
        }
        if (!samePosition(start, since)) this.gap(channel, start);
        for (const message of messages) this.deliver(channel.name, message, 'elsewhere');
        if (messages.length === 0) channel.goOnAs(end);
        if (messages.length > 0 || again) this.fill(channel);
      },
      () => {
        // the home cannot be read now: registering with it anew, which the router does, looks here again
        if (this.filled(channel) === 'anew' && this.channels.get(channel.name) === channel)
          this.fill(channel);
      },
    );
  }

  /** A read has ended; returns what came while it was under way, which the answer may not hold yet. */
  private filled(channel: LocalChannel): LocalChannel['filling'] {
    const { filling } = channel;
    this.reading--;
    channel.filling = 'no';
    this.turns.done();
    return filling;
  }

  private gap(channel: LocalChannel, start: Position): void {
    const after = channel.position as Position;
    channel.position = start;
    channel.alias = undefined;
    if (start.epoch !== after.epoch) channel.epochChanged();
    this.gaps++;
    const text = frame({ type: 'gap', channel: channel.name, after, upTo: start });
    for (const session of channel.sessions) session.deliver(channel, text, undefined);
  }
}
