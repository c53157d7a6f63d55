import { type Position, samePosition } from '@ringway/protocol';
import { keyPoint } from '@ringway/ring';
import { expect } from 'vitest';
import type { Delivery, LocalChannels, Router, Subscriber } from '../../src/router/port.ts';

/** One node of a cluster of routers: the router, and what it hands to the node's sessions. */
export interface RouterNode {
  readonly router: Router;
  readonly local: RecordedChannels;
}

export interface RouterCluster extends AsyncDisposable {
  readonly nodes: readonly RouterNode[];
}

/** The sessions of a node as far as a router sees them: what is delivered to a subscribed channel is written down. */
export class RecordedChannels implements LocalChannels {
  readonly kicks: string[] = [];
  private readonly channels = new Map<
    string,
    { sessions: number; at?: Position; readonly got: Delivery[] }
  >();
  gaps = 0;
  readonly reading = 0;

  deliver(name: string, delivery: Delivery): number {
    const channel = this.channels.get(name);
    if (!channel) return 0;
    const { position, previous } = delivery;
    if (position && previous && channel.at) {
      // what was had is dropped, as the hub does; a hole must not be
      if (position.epoch === channel.at.epoch && position.seq <= channel.at.seq) return 0;
      expect(previous).toEqual(channel.at);
    }
    if (position) channel.at = position;
    channel.got.push(delivery);
    return channel.sessions;
  }

  continueFrom(name: string, start: Position): void {
    const channel = this.channels.get(name);
    if (!channel?.at || samePosition(channel.at, start)) return;
    channel.at = start;
    this.gaps++;
  }

  relieved(): void {}

  positionOf(name: string): Position | undefined {
    return this.channels.get(name)?.at;
  }

  kick(channel: string, banSeconds: number): void {
    this.kicks.push(`${channel} ${banSeconds}`);
  }

  subscribersOf(name: string): readonly Subscriber[] {
    const sessions = this.channels.get(name)?.sessions ?? 0;
    return Array.from({ length: sessions }, () => ({ userId: 'somebody', since: 1, state: 'open' }));
  }

  *held() {
    for (const [channel, { sessions, at: position }] of this.channels) {
      yield { channel, point: keyPoint(channel), position, sessions };
    }
  }

  /** The node has sessions of the channel from now on; resolves when the router has accepted. */
  async join(router: Router, name: string, sessions = 1): Promise<Position> {
    const channel: { sessions: number; at?: Position; got: Delivery[] } = { sessions, got: [] };
    this.channels.set(name, channel);
    return new Promise((resolve, reject) => {
      router.subscribe(name, sessions, {
        accepted: (start) => {
          channel.at = start;
          resolve(start);
        },
        failed: () => {
          this.channels.delete(name);
          reject(new Error(`${name} was refused`));
        },
      });
    });
  }

  recount(router: Router, name: string, sessions: number): void {
    const channel = this.channels.get(name);
    if (!channel) throw new Error(`not joined: ${name}`);
    channel.sessions = sessions;
    router.resubscribe(name, sessions);
  }

  leave(router: Router, name: string): void {
    this.channels.delete(name);
    router.unsubscribe(name);
  }

  got(name: string): readonly Delivery[] {
    return this.channels.get(name)?.got ?? [];
  }

  data(name: string): string[] {
    return this.got(name).map(({ data }) => data);
  }
}
