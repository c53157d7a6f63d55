import type { Position } from '@ringway/protocol';
import { keyPoint } from '@ringway/ring';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogRead, SharedLog } from '../src/log/port.ts';
import { type Control, encodeControl, encodeDeliver } from '../src/peers/wire.ts';
import type { Delivery, LocalChannels } from '../src/router/port.ts';
import { HOME_TIMEOUT, LoneRouter, type ScriptedPeer } from './support/scripted-peers.ts';

const CHANNEL = 'group:held';
const at = (seq: number, epoch = 'e1'): Position => ({ epoch, seq });

/** One channel with local sessions, as a hub would hold it. */
class OneChannel implements LocalChannels {
  position: Position | undefined;
  sessions = 1;
  held_ = false;
  readonly seen: string[] = [];

  deliver(_channel: string, { position, data }: Delivery): number {
    this.position = position;
    this.seen.push(data);
    return this.sessions;
  }

  continueFrom(_channel: string, start: Position, goesOn: boolean): void {
    this.seen.push(`from ${start.epoch}/${start.seq}${goesOn ? '' : ' by reading'}`);
    this.position = start;
  }

  readonly reading = 0;

  relieved(): void {}

  positionOf(): Position | undefined {
    return this.position;
  }

  kick(): void {}

  subscribersOf(): [] {
    return [];
  }

  *held() {
    if (this.held_) {
      yield {
        channel: CHANNEL,
        point: keyPoint(CHANNEL),
        position: this.position,
        sessions: this.sessions,
      };
    }
  }
}

describe('interest, as a home is told of it', () => {
  let local: OneChannel;
  let lone: LoneRouter;
  let home: ScriptedPeer;
  let next: ScriptedPeer;
  let outcome: string[];

  beforeEach(async () => {
    vi.useFakeTimers();
    local = new OneChannel();
    lone = new LoneRouter(['node-2', 'node-3'], local, {
      received: () => {},
      answered: () => {},
      lost: () => {},
    });
    const ring = lone.setRing(['node-2', 'node-3'], false);
    await vi.advanceTimersByTimeAsync(300);
    const owner = ring.owner(CHANNEL)?.id;
    home = lone.peers.find((peer) => peer.member.id === owner) as ScriptedPeer;
    next = lone.peers.find((peer) => peer.member.id !== owner) as ScriptedPeer;
    outcome = [];
  });
  afterEach(async () => {
    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    vi.useRealTimers();
  });

  const turn = () => vi.advanceTimersByTimeAsync(0);
  const told = <T extends Control['t']>(peer: ScriptedPeer, t: T) =>
    peer.controls.filter((control): control is Extract<Control, { t: T }> => control.t === t);
  const accept = (peer: ScriptedPeer, start: Position, goesOn = true): void => {
    const { correlation } = told(peer, 'interest').at(-1) as { correlation: number };
    peer.socket?.say(encodeControl({ t: 'interested', correlation, start, goesOn }));
  };
  const message = (seq: number, epoch = 'e1'): string =>
    encodeDeliver({
      correlation: 0,
      channel: CHANNEL,
      from: '""',
      id: `"${seq}"`,
      data: String(seq),
      position: at(seq, epoch),
      previous: at(seq - 1, epoch),
    });

  async function subscribed(): Promise<void> {
    local.held_ = true;
    lone.router.subscribe(CHANNEL, 1, {
      accepted: (start) => {
        local.position = start;
        outcome.push('accepted');
      },
      failed: () => outcome.push('failed'),
    });
    await turn();
    accept(home, at(4));
    await turn();
  }

  it('is accepted when the home says so, and what comes then is delivered', async () => {
    await subscribed();
    expect(outcome).toEqual(['accepted']);
    expect(told(home, 'interest')).toMatchObject([{ channel: CHANNEL, sessions: 1 }]);
    home.socket?.say(message(5));
    expect(local.seen).toEqual(['5']);
  });

  it('is asked again of a home that refuses it, and given up in its time', async () => {
    local.held_ = true;
    lone.router.subscribe(CHANNEL, 1, {
      accepted: () => outcome.push('accepted'),
      failed: () => outcome.push('failed'),
    });
    for (let i = 0; i < 30; i++) {
      await vi.advanceTimersByTimeAsync(100);
      const { correlation } = told(home, 'interest').at(-1) as { correlation: number };
      home.socket?.say(encodeControl({ t: 'interested', correlation, code: 'unavailable' }));
    }
    expect(told(home, 'interest').length).toBeGreaterThan(5);
    expect(outcome).toEqual(['failed']);
    const asked = told(home, 'interest').length;
    await vi.advanceTimersByTimeAsync(HOME_TIMEOUT);
    expect(told(home, 'interest')).toHaveLength(asked);
  });

  it('goes to the new home with the position, is taken back from the old, and only the new is listened to', async () => {
    await subscribed();
    home.socket?.say(message(5));
    lone.setRing([next.member.id], false);
    await turn();
    expect(told(next, 'interest')).toMatchObject([{ channel: CHANNEL, sessions: 1, position: at(5) }]);
    next.socket?.say(message(1, 'e2'));
    expect(local.seen).toEqual(['5']);
    accept(next, at(0, 'e2'));
    next.socket?.say(message(1, 'e2'));
    expect(local.seen).toEqual(['5', 'from e2/0', '1']);
  });

  it('counts the sessions that came while the new home had not answered', async () => {
    await subscribed();
    lone.setRing([next.member.id], false);
    await turn();
    local.sessions = 3;
    lone.router.resubscribe(CHANNEL, 3);
    accept(next, at(0, 'e2'));
    await turn();
    const last = next.controls.findLast((control) => control.t === 'sessions' || control.t === 'interest');
    expect(last).toMatchObject({ channel: CHANNEL, sessions: 3 });
    lone.router.resubscribe(CHANNEL, 2);
    await turn();
    expect(told(next, 'sessions').at(-1)).toEqual({ t: 'sessions', channel: CHANNEL, sessions: 2 });
  });

  it('is registered anew where a home says that it has dropped it', async () => {
    await subscribed();
    home.socket?.say(message(5));
    home.socket?.say(encodeControl({ t: 'moved', channel: CHANNEL }));
    await vi.advanceTimersByTimeAsync(150);
    expect(told(home, 'interest').at(-1)).toMatchObject({ channel: CHANNEL, position: at(5) });
    accept(home, at(5));
    home.socket?.say(message(6));
    expect(local.seen).toEqual(['5', 'from e1/5', '6']);
  });

  it('is checked when its channel has said nothing for a while: what was missed without a sign is found', async () => {
    await subscribed();
    home.socket?.say(message(5));
    await vi.advanceTimersByTimeAsync(12_000);
    const checks = told(home, 'check');
    expect(checks.length).toBeGreaterThan(0);
    expect(checks[0]).toEqual({ t: 'check', items: [{ channel: CHANNEL, sessions: 1, at: at(5) }] });
    // all is well: nothing is answered, and nothing done
    expect(told(home, 'interest')).toHaveLength(1);
    home.socket?.say(encodeControl({ t: 'checked', lost: [], behind: [{ channel: CHANNEL, head: at(8) }] }));
    expect(local.seen).toEqual(['5', 'from e1/8 by reading']);
    home.socket?.say(encodeControl({ t: 'checked', lost: [CHANNEL], behind: [] }));
    await turn();
    expect(told(home, 'interest')).toHaveLength(2);
    expect(told(home, 'interest').at(-1)).toMatchObject({ channel: CHANNEL, position: at(8) });
  });

  it('is not checked while its channel speaks', async () => {
    await subscribed();
    for (let seq = 5; seq < 40; seq++) {
      home.socket?.say(message(seq));
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(told(home, 'check')).toEqual([]);
  });

  it('stands again on a new link, from where it was', async () => {
    await subscribed();
    home.socket?.say(message(5));
    home.break();
    await vi.advanceTimersByTimeAsync(200);
    expect(told(home, 'interest').at(-1)).toMatchObject({ channel: CHANNEL, position: at(5) });
    expect(told(home, 'interest')).toHaveLength(2);
  });

  it('stands by at the successor, which sends at once when it has taken over', async () => {
    await subscribed();
    await vi.advanceTimersByTimeAsync(100);
    expect(told(next, 'standby')).toMatchObject([{ items: [{ channel: CHANNEL, sessions: 1 }] }]);
    home.socket?.say(message(5));
    next.socket?.say(message(6));
    expect(local.seen).toEqual(['5', '6']);
    // this node sees it later: what came meanwhile is behind it, and what it asked with is not where it is any more
    home.broken = true;
    next.unheard = [home.member.id];
    home.break();
    await vi.advanceTimersByTimeAsync(500);
    expect(told(next, 'interest')).toMatchObject([{ channel: CHANNEL, position: at(6) }]);
    next.socket?.say(message(7));
    accept(next, at(6));
    next.socket?.say(message(8));
    expect(local.seen).toEqual(['5', '6', '7', 'from e1/6 by reading', '8']);
  });

  it('does not stand by any more where it has ended', async () => {
    await subscribed();
    await vi.advanceTimersByTimeAsync(100);
    local.held_ = false;
    lone.router.unsubscribe(CHANNEL);
    await vi.advanceTimersByTimeAsync(1);
    expect(told(next, 'standby').at(-1)).toEqual({
      t: 'standby',
      items: [{ channel: CHANNEL, sessions: 0 }],
    });
    next.socket?.say(message(5));
    expect(local.seen).toEqual([]);
  });

  it('stands by anew on a new link, and where it is told that it was dropped', async () => {
    await subscribed();
    await vi.advanceTimersByTimeAsync(100);
    next.break();
    await vi.advanceTimersByTimeAsync(300);
    expect(told(next, 'standby')).toHaveLength(2);
    next.socket?.say(encodeControl({ t: 'moved', channel: CHANNEL }));
    await vi.advanceTimersByTimeAsync(100);
    expect(told(next, 'standby')).toHaveLength(3);
    expect(told(home, 'interest')).toHaveLength(1);
  });

  it('is kept without sessions where the node says so, and a number is told once', async () => {
    await subscribed();
    for (const sessions of [0, 0, 2, 2]) lone.router.resubscribe(CHANNEL, sessions);
    await turn();
    expect(told(home, 'sessions')).toEqual([
      { t: 'sessions', channel: CHANNEL, sessions: 0, kept: true },
      { t: 'sessions', channel: CHANNEL, sessions: 2 },
    ]);
    lone.router.resubscribe(CHANNEL, 0);
    await vi.advanceTimersByTimeAsync(100);
    // none would mean that it stands by no longer
    next.break();
    await vi.advanceTimersByTimeAsync(300);
    expect(told(next, 'standby').at(-1)?.items).toEqual([{ channel: CHANNEL, sessions: 1 }]);
  });

  it('ends with the last session, and asks for nothing more', async () => {
    await subscribed();
    local.held_ = false;
    lone.router.unsubscribe(CHANNEL);
    await turn();
    expect(told(home, 'sessions')).toEqual([{ t: 'sessions', channel: CHANNEL, sessions: 0 }]);
    home.socket?.say(message(5));
    expect(local.seen).toEqual([]);
    home.break();
    await vi.advanceTimersByTimeAsync(500);
    expect(told(home, 'interest')).toHaveLength(1);
  });
});

describe('checks of channels that say nothing', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('come to all of them, however many have one home', async () => {
    const count = 5_100;
    const local = new OneChannel();
    local.position = at(4);
    const lone = new LoneRouter(['node-2'], local, {
      received: () => {},
      answered: () => {},
      lost: () => {},
    });
    lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    const [peer] = lone.peers as [ScriptedPeer];
    for (let i = 0; i < count; i++)
      lone.router.subscribe(`group:${i}`, 1, { accepted: () => {}, failed: () => {} });
    await vi.advanceTimersByTimeAsync(1);
    for (const control of peer.controls.splice(0)) {
      if (control.t !== 'interest') continue;
      const { correlation } = control;
      peer.socket?.say(encodeControl({ t: 'interested', correlation, start: at(4), goesOn: true }));
    }
    const checked = new Set<string>();
    for (let round = 0; round < 11; round++) {
      await vi.advanceTimersByTimeAsync(1_000);
      for (const control of peer.controls.splice(0))
        if (control.t === 'check') for (const { channel } of control.items) checked.add(channel);
    }
    expect(checked.size).toBe(count);
    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
  });
});

/** A log at the end of a slow line: where a channel begins is answered when the test says so. */
class SlowHeads implements SharedLog {
  readonly shared = true;
  readonly open: (() => void)[] = [];

  head(): Promise<Position> {
    return new Promise((resolve) => this.open.push(() => resolve(at(7))));
  }

  append(): Promise<never> {
    return Promise.reject(new Error('not asked for'));
  }

  read(): Promise<LogRead> {
    return this.head().then((head) => ({ start: head, messages: [], end: head, more: false }));
  }

  tail(): Promise<LogRead> {
    return this.read();
  }

  async close(): Promise<void> {}
}

describe('a registration that waits for a shared log', () => {
  let log: SlowHeads;
  let local: OneChannel;
  let lone: LoneRouter;
  beforeEach(async () => {
    vi.useFakeTimers();
    log = new SlowHeads();
    local = new OneChannel();
    const watch = { received: () => {}, answered: () => {}, lost: () => {} };
    lone = new LoneRouter(['node-2'], local, watch, log);
    lone.setRing([]);
    await vi.advanceTimersByTimeAsync(10);
  });
  afterEach(async () => {
    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    vi.useRealTimers();
  });

  it('goes to who has become the home meanwhile', async () => {
    local.held_ = true;
    const outcome: string[] = [];
    lone.router.subscribe(CHANNEL, 1, {
      accepted: ({ seq }) => outcome.push(`accepted ${seq}`),
      failed: () => outcome.push('failed'),
    });
    lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    log.open.shift()?.();
    await vi.advanceTimersByTimeAsync(200);
    const [peer] = lone.peers;
    const asked = peer?.controls.find((control) => control.t === 'interest');
    expect(asked).toMatchObject({ channel: CHANNEL, sessions: 1 });
    expect(outcome).toEqual([]);
    const { correlation } = asked as { correlation: number };
    peer?.socket?.say(encodeControl({ t: 'interested', correlation, start: at(9), goesOn: false }));
    expect(outcome).toEqual(['accepted 9']);
  });

  it('goes nowhere once nobody wants it', async () => {
    lone.router.subscribe(CHANNEL, 1, { accepted: () => {}, failed: () => {} });
    lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    lone.router.unsubscribe(CHANNEL);
    log.open.shift()?.();
    await vi.advanceTimersByTimeAsync(200);
    expect(lone.peers[0]?.controls.filter((control) => control.t === 'interest')).toEqual([]);
  });
});
