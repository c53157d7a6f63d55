import type { Position } from '@ringway/protocol';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Hub } from '../src/hub/hub.ts';
import type { LocalChannel } from '../src/hub/local-channel.ts';
import type { Delivery, History } from '../src/router/port.ts';
import { quote } from '../src/text.ts';
import { waitFor } from './support/cluster.ts';
import { ScriptedRouter } from './support/scripted-router.ts';
import { SocketBench, type SocketPair } from './support/sessions.ts';

function at(seq: number, epoch = 'e1'): Position {
  return { epoch, seq };
}

/** The message at a position of an unbroken log. */
function delivery(seq: number, epoch = 'e1', id = `${epoch}-${seq}`): Delivery {
  return {
    from: '"user:bob"',
    id: quote(id),
    data: String(seq),
    position: at(seq, epoch),
    previous: at(seq - 1, epoch),
  };
}

function history(start: Position, messages: readonly Delivery[], end = start): History {
  return { start, messages, end: messages.at(-1)?.position ?? end };
}

const CHANNEL = 'group:g';

describe('the hub', () => {
  let bench: SocketBench;
  let pair: SocketPair;
  let router: ScriptedRouter;
  let hub: Hub;
  let kicked: string[];
  let from: number;
  beforeAll(async () => {
    bench = await SocketBench.start();
    pair = await bench.pair();
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  beforeEach(() => {
    router = new ScriptedRouter();
    kicked = [];
    hub = new Hub(router, {
      onKick: (channel, seconds) => kicked.push(`${channel} ${seconds}`),
      onRelieved: () => {},
    });
    from = pair.client.frames.length;
  });
  afterEach(() => {
    expect(pair.client.socket.readyState).toBe(1);
  });

  function join(answered: 'accepted' | 'later' = 'accepted', start = at(0)) {
    const session = bench.sessionOn(pair);
    session.state = 'open';
    const outcome: string[] = [];
    const channel = hub.subscribe(CHANNEL, {
      session,
      joined: (joined) => outcome.push(`joined ${joined.position?.epoch}/${joined.position?.seq}`),
      failed: () => outcome.push('failed'),
    });
    if (answered === 'accepted') router.accept(CHANNEL, start);
    return { session, channel, outcome };
  }

  /** What the client has got in this test: data of messages, and gaps. */
  async function got(count: number): Promise<unknown[]> {
    const texts = () =>
      pair.client.frames.slice(from).map((frame) => {
        if (frame.type === 'message') return frame.data;
        return frame.type === 'gap'
          ? `gap ${frame.after.epoch}/${frame.after.seq} to ${frame.upTo.epoch}/${frame.upTo.seq}`
          : frame;
      });
    await waitFor(() => texts().length >= count, `${count} frames, got ${JSON.stringify(texts())}`);
    // one more turn there and back: nothing else was on its way
    const pong = new Promise((resolve) => pair.client.socket.once('pong', resolve));
    pair.client.socket.ping();
    await pong;
    expect(texts()).toHaveLength(count);
    return texts();
  }

  it('makes the frame of a message once, for however many sessions', async () => {
    for (let i = 0; i < 3; i++) join();
    let made = 0;
    const message = delivery(1);
    const counted: Delivery = {
      ...message,
      get data() {
        made++;
        return message.data;
      },
    };
    expect(hub.deliver(CHANNEL, counted, 'here')).toBe(3);
    expect(await got(3)).toEqual([1, 1, 1]);
    expect(made).toBe(1);
  });

  it('says joined once the home has accepted, with the position of that moment', () => {
    const { outcome } = join('later');
    expect(outcome).toEqual([]);
    expect(router.calls).toEqual([`subscribe ${CHANNEL} 1`]);
    router.accept(CHANNEL, at(7));
    expect(outcome).toEqual(['joined e1/7']);
  });

  it('asks the home once for however many sessions, and tells it how many there are', () => {
    const first = join('later');
    const second = join('later');
    expect(router.calls).toEqual([`subscribe ${CHANNEL} 1`]);
    router.accept(CHANNEL, at(3));
    expect([first.outcome, second.outcome]).toEqual([['joined e1/3'], ['joined e1/3']]);
    const third = join();
    expect(third.outcome).toEqual(['joined e1/3']);
    hub.unsubscribe(first.channel, first.session);
    hub.unsubscribe(second.channel, second.session);
    hub.unsubscribe(third.channel, third.session);
    expect(router.calls.slice(1)).toEqual([
      `resubscribe ${CHANNEL} 2`,
      `resubscribe ${CHANNEL} 3`,
      `resubscribe ${CHANNEL} 2`,
      `resubscribe ${CHANNEL} 1`,
      `unsubscribe ${CHANNEL}`,
    ]);
    expect(hub.size).toBe(0);
  });

  it('tells everyone who waits when the home cannot be asked, and leaves no trace', () => {
    const [first, second] = [join('later'), join('later')];
    router.fail(CHANNEL);
    expect([first.outcome, second.outcome]).toEqual([['failed'], ['failed']]);
    expect(hub.size).toBe(0);
    expect(hub.deliver(CHANNEL, delivery(1), 'elsewhere')).toBe(0);
  });

  it('does not count who left before the answer', async () => {
    const [gone, stays] = [join('later'), join('later')];
    hub.unsubscribe(gone.channel, gone.session);
    router.accept(CHANNEL, at(0));
    expect([gone.outcome, stays.outcome]).toEqual([[], ['joined e1/0']]);
    // nor says that nobody is there: a home that is told so lets go of the channel
    expect(router.calls).toEqual([`subscribe ${CHANNEL} 1`]);
    expect(hub.deliver(CHANNEL, delivery(1), 'here')).toBe(1);
    expect(await got(1)).toEqual([1]);
  });

  it('hands each message to each session, and counts them', async () => {
    join();
    join();
    expect(hub.deliver(CHANNEL, delivery(1), 'here')).toBe(2);
    expect(hub.deliver('group:other', delivery(1), 'here')).toBe(0);
    expect(await got(2)).toEqual([1, 1]);
    expect(hub.delivered).toBe(2);
  });

  it('takes only the message whose previous position is its own: what was had is dropped', async () => {
    join();
    for (const seq of [1, 2, 2, 1, 3]) hub.deliver(CHANNEL, delivery(seq), 'elsewhere');
    expect(await got(3)).toEqual([1, 2, 3]);
    expect(hub.repeats).toBe(2);
    expect(router.calls).toEqual([`subscribe ${CHANNEL} 1`]);
  });

  it('reads a hole from the log, and goes on in order', async () => {
    join();
    router.log = ({ seq }) =>
      history(
        at(seq),
        [1, 2, 3, 4].filter((n) => n > seq).map((n) => delivery(n)),
      );
    hub.deliver(CHANNEL, delivery(4), 'elsewhere');
    hub.deliver(CHANNEL, delivery(5), 'elsewhere');
    expect(await got(5)).toEqual([1, 2, 3, 4, 5]);
    expect(hub.gaps).toBe(0);
  });

  it('tells a gap with its bounds where the log has dropped what is missing', async () => {
    join();
    router.log = ({ seq }) =>
      history(
        at(Math.max(seq, 3)),
        [4, 5].filter((n) => n > seq).map((n) => delivery(n)),
      );
    hub.deliver(CHANNEL, delivery(5), 'elsewhere');
    expect(await got(3)).toEqual(['gap e1/0 to e1/3', 4, 5]);
    expect(hub.gaps).toBe(1);
  });

  it('misses nothing that comes while a hole is read, also when nothing comes after it', async () => {
    join();
    const reads: ((history: History) => void)[] = [];
    router.log = () => new Promise((resolve) => reads.push(resolve));
    hub.deliver(CHANNEL, delivery(2), 'elsewhere');
    hub.deliver(CHANNEL, delivery(3), 'elsewhere');
    reads[0]?.(history(at(0), [delivery(1), delivery(2), delivery(3)]));
    await waitFor(() => reads.length === 2, 'the second read');
    // the answer was made before this message, and came before it; both are looked at in one turn
    reads[1]?.(history(at(3), []));
    hub.deliver(CHANNEL, delivery(4), 'elsewhere');
    router.log = ({ seq }) => history(at(seq), seq < 4 ? [delivery(4)] : []);
    expect(await got(4)).toEqual([1, 2, 3, 4]);
  });

  it('reads so many holes at once and no more, and all of them in the end', async () => {
    const session = bench.sessionOn(pair);
    session.state = 'open';
    const got: number[] = [];
    session.deliver = (_channel, text) => got.push(JSON.parse(text.slice(text.indexOf('{'))).data);
    const names = Array.from({ length: 200 }, (_, i) => `group:${i}`);
    const channels = names.map((name) => {
      const channel = hub.subscribe(name, { session, joined: () => {}, failed: () => {} });
      router.accept(name, at(0));
      return channel;
    });
    let open = 0;
    let most = 0;
    router.log = ({ seq }) => {
      most = Math.max(most, ++open);
      return new Promise((resolve) =>
        setImmediate(() => {
          open--;
          resolve(history(at(seq), seq === 0 ? [delivery(1), delivery(2)] : []));
        }),
      );
    };
    for (const name of names) hub.deliver(name, delivery(2), 'elsewhere');
    // whose turn has not come, and is not waited for by anyone
    hub.unsubscribe(channels.at(-1) as LocalChannel, session);
    expect(hub.reading).toBe(200);
    await waitFor(() => hub.reading === 0, 'all to be read');
    expect(most).toBe(32);
    expect(got).toHaveLength(2 * 199);
    expect(router.calls.filter((call) => call.startsWith('history'))).toHaveLength(2 * 199);
  });

  it('goes on by itself when a hole could not be read and the stream begins anew elsewhere meanwhile', async () => {
    join();
    let refuse: (error: Error) => void = () => {};
    router.log = () =>
      new Promise((_resolve, reject) => {
        refuse = reject;
      });
    hub.deliver(CHANNEL, delivery(3), 'elsewhere');
    hub.continueFrom(CHANNEL, at(0, 'e2'), false);
    hub.deliver(CHANNEL, delivery(1, 'e2'), 'elsewhere');
    const first = refuse;
    router.log = ({ epoch, seq }) =>
      epoch === 'e2' ? history(at(seq, 'e2'), []) : history(at(0, 'e2'), [delivery(1, 'e2')]);
    first(new Error('not the home any more'));
    expect(await got(2)).toEqual(['gap e1/0 to e2/0', 1]);
  });

  it('goes on from another place by what the log has, with a gap for what it has not, and never back', async () => {
    join('accepted', at(5));
    hub.continueFrom(CHANNEL, at(5), true);
    hub.continueFrom(CHANNEL, at(3), false);
    hub.continueFrom('group:other', at(9), false);
    expect(hub.positionOf(CHANNEL)).toEqual(at(5));
    router.log = ({ epoch, seq }) =>
      epoch === 'e1'
        ? history(at(Math.max(seq, 7)), seq < 8 ? [delivery(8)] : [])
        : history(at(seq, epoch), []);
    hub.continueFrom(CHANNEL, at(8), false);
    hub.deliver(CHANNEL, delivery(9), 'elsewhere');
    router.log = ({ epoch, seq }) => history(epoch === 'e1' ? at(0, 'e2') : at(seq, epoch), []);
    hub.continueFrom(CHANNEL, at(0, 'e2'), false);
    hub.deliver(CHANNEL, delivery(1, 'e2'), 'elsewhere');
    expect(await got(5)).toEqual(['gap e1/5 to e1/7', 8, 9, 'gap e1/9 to e2/0', 1]);
  });

  it('goes on in the epoch that follows its own as if nothing had happened', async () => {
    const { session, channel } = join('accepted', at(5));
    const frames: { data: number; position: Position; previous: Position }[] = [];
    session.deliver = (_channel, text) => frames.push(JSON.parse(text.slice(text.indexOf('{'))));
    hub.continueFrom(CHANNEL, at(0, 'e2'), true);
    expect(hub.positionOf(CHANNEL)).toEqual(at(0, 'e2'));
    expect(channel.position).toEqual(at(5));
    hub.deliver(CHANNEL, delivery(1, 'e2'), 'elsewhere');
    hub.deliver(CHANNEL, delivery(2, 'e2'), 'elsewhere');
    expect(frames).toMatchObject([
      { data: 1, previous: at(5), position: at(1, 'e2') },
      { data: 2, previous: at(1, 'e2'), position: at(2, 'e2') },
    ]);
    // the same where it is only found by reading
    router.log = (since) => history(since, [], at(0, 'e3'));
    hub.continueFrom(CHANNEL, at(0, 'e3'), false);
    hub.deliver(CHANNEL, delivery(1, 'e3'), 'elsewhere');
    expect(frames.at(-1)).toMatchObject({ data: 1, previous: at(2, 'e2'), position: at(1, 'e3') });
    expect(hub.gaps).toBe(0);
  });

  it('holds a channel without sessions in its place, by the name that its home has for that', async () => {
    const joined: LocalChannel[] = [];
    hub.hold(CHANNEL, { joined: (channel) => joined.push(channel), failed: () => {} });
    expect(router.calls).toEqual([`subscribe ${CHANNEL} 0`]);
    router.accept(CHANNEL, at(3));
    const [channel] = joined as [LocalChannel];
    expect(hub.deliver(CHANNEL, delivery(4), 'elsewhere')).toBe(0);
    expect(hub.positionOf(CHANNEL)).toEqual(at(4));
    hub.continueFrom(CHANNEL, at(0, 'e2'), true);
    expect(channel.position).toEqual(at(0, 'e2'));
    const session = bench.sessionOn(pair);
    session.state = 'open';
    channel.add(session);
    expect(hub.deliver(CHANNEL, delivery(1, 'e2'), 'elsewhere')).toBe(1);
    await got(1);
    expect(pair.client.frames.at(-1)).toMatchObject({ previous: at(0, 'e2'), position: at(1, 'e2') });
    channel.remove(session);
    expect([...hub.held()]).toMatchObject([{ channel: CHANNEL, sessions: 0, position: at(1, 'e2') }]);
    expect(router.calls).toHaveLength(1);
  });

  it('drops what was delivered before a change of epoch and comes again after it', async () => {
    join();
    for (const seq of [1, 2]) hub.deliver(CHANNEL, delivery(seq), 'elsewhere');
    router.log = ({ epoch, seq }) => history(epoch === 'e1' ? at(0, 'e2') : at(seq, epoch), []);
    hub.continueFrom(CHANNEL, at(0, 'e2'), false);
    hub.deliver(CHANNEL, delivery(1, 'e2', 'e1-2'), 'elsewhere');
    hub.deliver(CHANNEL, delivery(2, 'e2'), 'elsewhere');
    const frames = await got(4);
    expect(frames).toEqual([1, 2, 'gap e1/2 to e2/0', 2]);
    expect(hub.repeats).toBe(1);
    expect(hub.positionOf(CHANNEL)).toEqual(at(2, 'e2'));
  });

  it('hands on what is ephemeral in any case, and moves no position', async () => {
    const { from: sender, id, data } = delivery(7);
    join();
    expect(hub.deliver(CHANNEL, { from: sender, id, data }, 'elsewhere')).toBe(1);
    hub.deliver(CHANNEL, delivery(1), 'elsewhere');
    expect(await got(2)).toEqual([7, 1]);
  });

  it('passes kicks on', () => {
    hub.kick('user:bob', 30);
    expect(kicked).toEqual(['user:bob 30']);
  });

  it('gives every message once and in order, or a gap for it, whatever is lost, doubled or late', async () => {
    const step = fc.oneof(
      { arbitrary: fc.constant('publish' as const), weight: 6 },
      { arbitrary: fc.constant('lose' as const), weight: 2 },
      { arbitrary: fc.constant('double' as const), weight: 1 },
      { arbitrary: fc.constant('trim' as const), weight: 1 },
      { arbitrary: fc.constant('answer' as const), weight: 3 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        router = new ScriptedRouter();
        hub = new Hub(router, { onKick: () => {}, onRelieved: () => {} });
        const { session, channel } = join();
        const taken: number[] = [];
        let gapped = 0;
        session.deliver = (_channel, text) => {
          const frame = JSON.parse(text.slice(text.indexOf('{'))) as {
            type: string;
            data: number;
            after: Position;
            upTo: Position;
          };
          if (frame.type === 'message') taken.push(frame.data);
          else {
            expect(frame.after.seq).toBe(taken.at(-1) ?? 0);
            for (let n = frame.after.seq + 1; n <= frame.upTo.seq; n++) taken.push(n);
            gapped++;
          }
        };
        let head = 0;
        let trimmed = 0;
        const open: (() => void)[] = [];
        router.log = ({ seq }) =>
          new Promise((resolve) => {
            open.push(() => {
              const start = Math.max(seq, trimmed);
              const count = Math.min(3, head - start);
              const messages = Array.from({ length: count }, (_, i) => delivery(start + 1 + i));
              resolve(history(at(start), messages));
            });
          });
        for (const one of steps) {
          if (one === 'publish' || one === 'lose') head++;
          if (one === 'publish') hub.deliver(CHANNEL, delivery(head), 'elsewhere');
          if (one === 'double' && head > 0) hub.deliver(CHANNEL, delivery(head), 'elsewhere');
          if (one === 'trim') trimmed = head;
          if (one === 'answer') {
            open.shift()?.();
            await Promise.resolve();
          }
        }
        // whatever was lost shows with the next message
        head++;
        hub.deliver(CHANNEL, delivery(head), 'elsewhere');
        for (let i = 0; i < 100; i++) {
          open.shift()?.();
          await Promise.resolve();
        }
        expect(taken).toEqual(Array.from({ length: head }, (_, i) => i + 1));
        expect(hub.positionOf(CHANNEL)).toEqual(at(head));
        expect(hub.gaps).toBe(gapped);
        hub.unsubscribe(channel, session);
      }),
      { numRuns: 200 },
    );
  });
});
