import type { Position } from '@ringway/protocol';
import type { History, LocalChannels, Router, SubscribeAnswer } from '../../src/router/port.ts';

/** A router in the hands of the test: what the hub asks is written down, the answers are the test's. */
export class ScriptedRouter implements Router {
  readonly calls: string[] = [];
  private readonly asked = new Map<string, SubscribeAnswer>();
  /** What a read of history gives; a promise keeps the hub waiting. */
  log: (since: Position) => History | Promise<History> = (since) => ({
    start: since,
    messages: [],
    end: since,
  });
  congested = false;

  publish(): void {}
  publishMany(): void {}

  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void {
    this.calls.push(`subscribe ${channel} ${sessions}`);
    this.asked.set(channel, answer);
  }

  /** The answer of the home, once for each time that it was asked. */
  accept(channel: string, start: Position): void {
    const answer = this.asked.get(channel);
    this.asked.delete(channel);
    answer?.accepted(start);
  }

  fail(channel: string): void {
    this.asked.get(channel)?.failed();
  }

  resubscribe(channel: string, sessions: number): void {
    this.calls.push(`resubscribe ${channel} ${sessions}`);
  }

  unsubscribe(channel: string): void {
    this.calls.push(`unsubscribe ${channel}`);
  }

  history(_channel: string, since: Position): History | Promise<History> {
    this.calls.push(`history ${since.epoch}/${since.seq}`);
    return this.log(since);
  }

  recent(): History {
    throw new Error('not asked for here');
  }

  kick(): void {}
  async start(_local: LocalChannels): Promise<void> {}
  async stop(): Promise<void> {}
}
