import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KIND, type ListRecord, type PublishRecord } from '../src/peers/wire.ts';
import type { LocalChannels, Outcome } from '../src/router/port.ts';
import { HOME_TIMEOUT, LoneRouter, type PeerWatch, type ScriptedPeer } from './support/scripted-peers.ts';

const PEERS = ['node-2', 'node-3'];
const CHANNELS = ['user:a', 'user:b', 'group:c'];

interface Said {
  readonly number: number;
  /** The answers that came: one at the end. */
  answers: number;
  /** It was stored here, or a peer has answered it: nothing that comes later overtakes it. */
  settled: boolean;
  readonly at: number;
  /**
   * Part of a list: that it was given up, with what was said before it, shows only when the whole list is answered, so it
   * is told by the time, or by the refusal of that.
   */
  givenUpAt: number;
  readonly quiet: boolean;
  /** It has come to some node. */
  arrived: boolean;
}

/** What one node says to some channels, and where each of it is: holds rule 6 against whatever is seen. */
class Rule6 implements PeerWatch {
  readonly said = new Map<string, Said[]>(CHANNELS.map((channel) => [channel, []]));
  private readonly peers: () => readonly ScriptedPeer[];
  violations: string[] = [];

  constructor(peers: () => readonly ScriptedPeer[]) {
    this.peers = peers;
  }

  /** `quiet`: no answer is asked for, so it may be lost without a word where its link breaks. */
  say(channel: string, inList: boolean, quiet = false): Said {
    const said = this.said.get(channel) as Said[];
    const at = Date.now();
    const open = said.find(({ answers, settled }) => answers === 0 && !settled);
    const one = {
      number: said.length,
      answers: 0,
      settled: false,
      at,
      givenUpAt: inList || quiet ? (open?.at ?? at) + HOME_TIMEOUT : Number.POSITIVE_INFINITY,
      quiet,
      arrived: false,
    };
    said.push(one);
    return one;
  }

  received(peer: ScriptedPeer, record: PublishRecord | ListRecord): void {
    const channels = record.kind === KIND.list ? record.channels : [record.channel];
    const numbers = JSON.parse(record.data) as Record<string, number>;
    for (const channel of channels) this.came(channel, numbers[channel] as number, peer);
  }

  /** A publication has come to a peer, or to this node's own log. */
  came(channel: string, number: number, peer: ScriptedPeer | undefined): void {
    const where = peer?.member.id ?? 'here';
    for (const other of this.peers()) {
      const open = this.openAt(other, channel);
      if (other !== peer && open.length > 0) {
        this.violations.push(`${channel} ${number} at ${where} while ${open} are at ${other.member.id}`);
      }
    }
    const before = peer ? this.openAt(peer, channel) : [];
    const all = this.said.get(channel) ?? [];
    const one = all[number] as Said;
    one.arrived = true;
    // what is quiet may be lost with a link before it comes anywhere; but it must not come late
    if (one.quiet && all.some((later) => later.number > number && later.arrived))
      this.violations.push(`${channel} ${number} came to ${where} behind a later one`);
    for (const said of all) {
      if (said.quiet && !said.arrived) continue;
      if (said.number >= number || said.answers > 0 || said.settled || before.includes(said.number)) continue;
      if (Date.now() >= said.givenUpAt) continue;
      this.violations.push(`${channel} ${number} at ${where} has overtaken ${said.number}`);
    }
    if (!peer) this.settle(channel, number);
  }

  answered(record: PublishRecord | ListRecord, how: 'published' | 'unavailable'): void {
    const numbers = JSON.parse(record.data) as Record<string, number>;
    const channels = record.kind === KIND.list ? record.channels : [record.channel];
    for (const channel of channels) this.settle(channel, numbers[channel] as number);
    if (how === 'published' || record.kind === KIND.list) return;
    const { channel } = record;
    const open = this.peers().flatMap((peer) => this.openAt(peer, channel));
    for (const said of this.said.get(channel) ?? []) {
      if (said.givenUpAt !== Number.POSITIVE_INFINITY && !open.includes(said.number))
        said.givenUpAt = Date.now();
    }
  }

  lost(record: PublishRecord | ListRecord): void {
    const numbers = JSON.parse(record.data) as Record<string, number>;
    for (const channel of record.kind === KIND.list ? record.channels : [record.channel]) {
      const number = numbers[channel] as number;
      if (this.said.get(channel)?.[number]?.quiet) this.settle(channel, number);
    }
  }

  private settle(channel: string, number: number): void {
    const said = this.said.get(channel)?.[number];
    if (said) said.settled = true;
  }

  private openAt(peer: ScriptedPeer, channel: string): number[] {
    return peer.asked.flatMap(({ socket, record }) => {
      const channels = record.kind === KIND.list ? record.channels : [record.channel];
      if (socket.readyState !== 1 || !channels.includes(channel)) return [];
      const number = (JSON.parse(record.data) as Record<string, number>)[channel] as number;
      const said = this.said.get(channel)?.[number];
      // nothing is waited for longer than this
      return said?.quiet && Date.now() - said.at >= 3 * HOME_TIMEOUT ? [] : [number];
    });
  }
}

describe('rule 6: what one node says to one channel', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const peer = fc.nat(PEERS.length - 1);
  const channel = fc.constantFrom(...CHANNELS);
  const step = fc.oneof(
    {
      arbitrary: fc.record({ do: fc.constant('publish' as const), channel, quiet: fc.boolean() }),
      weight: 8,
    },
    {
      arbitrary: fc.record({ do: fc.constant('list' as const), channels: fc.subarray(CHANNELS) }),
      weight: 2,
    },
    {
      arbitrary: fc.record({
        do: fc.constant('answer' as const),
        peer,
        how: fc.constantFrom('published' as const, 'published' as const, 'unavailable' as const),
      }),
      weight: 6,
    },
    { arbitrary: fc.record({ do: fc.constant('break' as const), peer }), weight: 2 },
    { arbitrary: fc.record({ do: fc.constant('cut' as const), peer }), weight: 1 },
    { arbitrary: fc.record({ do: fc.constant('heal' as const), peer }), weight: 2 },
    {
      arbitrary: fc.record({ do: fc.constant('word' as const), peer, unheard: fc.subarray(PEERS) }),
      weight: 1,
    },
    {
      arbitrary: fc.record({ do: fc.constant('ring' as const), ids: fc.subarray(PEERS), self: fc.boolean() }),
      weight: 2,
    },
    {
      arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 700 }) }),
      weight: 4,
    },
  );

  it('is at one other node at a time, overtakes nothing, and is answered once, whatever breaks and moves', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50, size: 'max' }), async (steps) => {
        let made: LoneRouter | undefined;
        const rule = new Rule6(() => made?.peers ?? []);
        const local: LocalChannels = {
          deliver: (name, { data }, ordered) => {
            const number = (JSON.parse(data) as Record<string, number>)[name] as number;
            if (ordered === 'here') rule.came(name, number, undefined);
            return 0;
          },
          continueFrom: () => {},
          relieved: () => {},
          reading: 0,
          positionOf: () => undefined,
          kick: () => {},
          subscribersOf: () => [],
          held: () => [],
        };
        const lone = new LoneRouter(PEERS, local, rule);
        made = lone;
        lone.setRing(PEERS);
        await vi.advanceTimersByTimeAsync(300);
        const at = (i: number): ScriptedPeer => lone.peers[i] as ScriptedPeer;
        let ids = 0;
        for (const one of steps) {
          if (one.do === 'publish') {
            const said = rule.say(one.channel, false, one.quiet);
            lone.router.publish({
              channel: one.channel,
              from: '"user:me"',
              id: `"${ids++}"`,
              data: JSON.stringify({ [one.channel]: said.number }),
              ephemeral: false,
              done: one.quiet ? undefined : () => said.answers++,
            });
          } else if (one.do === 'list') {
            const list = one.channels.map((name) => ({ name, said: rule.say(name, true) }));
            lone.router.publishMany(
              {
                from: '"user:me"',
                id: `"${ids++}"`,
                data: JSON.stringify(Object.fromEntries(list.map(({ name, said }) => [name, said.number]))),
                ephemeral: false,
              },
              one.channels,
              (outcomes: readonly Outcome[]) => {
                expect(outcomes).toHaveLength(list.length);
                for (const { said } of list) said.answers++;
              },
            );
          } else if (one.do === 'answer') at(one.peer).answer(one.how);
          else if (one.do === 'break') at(one.peer).break();
          else if (one.do === 'cut') {
            at(one.peer).broken = true;
            at(one.peer).break();
          } else if (one.do === 'heal') at(one.peer).broken = false;
          else if (one.do === 'word') at(one.peer).unheard = one.unheard;
          else if (one.do === 'ring') lone.setRing(one.ids, one.self);
          else await vi.advanceTimersByTimeAsync(one.ms);
          await vi.advanceTimersByTimeAsync(0);
          expect(rule.violations).toEqual([]);
        }
        // all is well again: everything is answered, or given up in its time
        for (const each of lone.peers) {
          each.broken = false;
          each.unheard = [];
        }
        lone.setRing(PEERS);
        for (let i = 0; i < 60; i++) {
          await vi.advanceTimersByTimeAsync(100);
          for (const each of lone.peers) while (each.asked.length > 0) each.answer('published');
        }
        expect(rule.violations).toEqual([]);
        for (const [name, said] of rule.said) {
          expect(
            said.filter(({ answers, quiet }) => answers !== (quiet ? 0 : 1)),
            name,
          ).toEqual([]);
        }
        const stopped = lone.router.stop();
        await vi.advanceTimersByTimeAsync(1_000);
        await stopped;
      }),
      { numRuns: 150 },
    );
  });
});
