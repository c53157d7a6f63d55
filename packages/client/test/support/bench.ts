import type { ClientFrame } from '@ringway/protocol';
import { Channels } from '../../src/channels.ts';
import type { Gap, Message } from '../../src/events.ts';
import { FakeClock } from './clock.ts';
import { TestLog } from './log.ts';

export const OWN = 'user:alice';

/** A node in miniature: a log, and a line to the client on which things get lost. */
export class Bench {
  readonly clock = new FakeClock();
  readonly log = new TestLog(OWN, 'e1');
  readonly sent: ClientFrame[] = [];
  readonly got: number[] = [];
  readonly gaps: Gap[] = [];
  /** What was told of groups, in order. */
  readonly groups: [name: string, event: unknown][] = [];
  onGroup: (name: string) => void = () => {};
  connected = false;
  readonly channels = new Channels(
    { clock: this.clock, random: () => 0, publishTimeoutMs: 1_000 },
    {
      send: (frame) => {
        if (this.connected) this.sent.push(frame);
        return this.connected;
      },
      emit: (name, event) => {
        if (name === 'message') this.got.push((event as Message).data as number);
        else if (name === 'gap') this.gaps.push(event as Gap);
        else {
          this.groups.push([name, event]);
          this.onGroup(name);
        }
      },
    },
  );

  connect(userId = 'alice'): void {
    this.connected = true;
    this.channels.welcome({
      type: 'welcome',
      protocol: 1,
      nodeId: 'node-1',
      sessionId: 's',
      userId,
      channel: `user:${userId}`,
      position: this.log.head,
      ping: { intervalMs: 1, timeoutMs: 1 },
      limits: { frameBytes: 1, publishesPerSecond: 1 },
    });
  }

  disconnect(): void {
    this.connected = false;
    this.sent.length = 0;
    this.channels.ended();
  }

  /** The node reads what it was sent, and answers. */
  serve(): void {
    for (const frame of this.sent.splice(0)) {
      if (frame.type !== 'resume') continue;
      const since = frame.positions?.[OWN];
      if (!since) continue;
      const { start, messages } = this.log.since(since);
      if (start !== since) this.channels.gap({ type: 'gap', channel: OWN, after: since, upTo: start });
      for (const message of messages) this.channels.message(message, true);
      this.channels.resumed({ type: 'resumed', channels: [{ channel: OWN, position: this.log.head }] });
    }
  }
}
