import type { PublishRecord, RunRecord } from '../record.ts';
import { Epochs } from './epochs.ts';
import type { Flaw } from './flaw.ts';
import { placeText, viewOf } from './view.ts';

/** The order of channels, as positions tell it and as sessions agree on it, and the order of each sender in them. */
export function checkOrder(run: RunRecord): Flaw[] {
  return [
    ...checkForks(run),
    ...new Epochs(run.publishes).interleaved(),
    ...checkChannels(run),
    ...checkSenders(run),
  ];
}

/** A position belongs to one message. */
function checkForks(run: RunRecord): Flaw[] {
  const flaws: Flaw[] = [];
  const owners = new Map<string, string>();
  const claim = (
    channel: string,
    place: { epoch: string; seq: number } | undefined,
    message: string,
  ): void => {
    if (place === undefined) return;
    const key = `${channel} ${placeText(place)}`;
    const owner = owners.get(key) ?? message;
    owners.set(key, owner);
    if (owner !== message) flaws.push({ kind: 'forked', text: `${key} is ${owner}, and ${message} as well` });
  };
  for (const { channel, position, outcome, id, from } of run.publishes) {
    if (outcome === 'confirmed') claim(channel, position, `${from} ${id}`);
  }
  for (const { sights } of run.sessions) {
    for (const sight of sights) {
      if (sight.kind === 'message') claim(sight.channel, sight.position, `${sight.from} ${sight.id}`);
    }
  }
  return flaws;
}

/** Sequence numbers rise within an epoch; and there is one order that all sessions of a channel saw a part of. */
function checkChannels(run: RunRecord): Flaw[] {
  const flaws: Flaw[] = [];
  const orders = new Map<string, Order>();
  for (const session of run.sessions) {
    for (const { channel, messages } of viewOf(session).stays) {
      const highest = new Map<string, number>();
      const order = orders.get(channel) ?? new Order();
      orders.set(channel, order);
      let last: string | undefined;
      for (const { position, id } of messages) {
        if (position === undefined) continue;
        const { epoch, seq } = position;
        const before = highest.get(epoch) ?? -1;
        if (seq <= before) {
          const text = `${session.name} got ${id} in ${channel} at ${placeText(position)} after ${epoch}:${before}`;
          flaws.push({ kind: 'disordered', text });
        }
        highest.set(epoch, Math.max(before, seq));
        order.add(last, placeText(position));
        last = placeText(position);
      }
    }
  }
  for (const [channel, order] of orders) {
    const circle = order.circle();
    if (circle.length > 0) {
      flaws.push({
        kind: 'disordered',
        text: `in ${channel} sessions disagree on the order of ${circle.join(', ')}`,
      });
    }
  }
  return flaws;
}

/** What came directly before what, for anyone. */
class Order {
  readonly #next = new Map<string, Set<string>>();

  add(before: string | undefined, after: string): void {
    if (!this.#next.has(after)) this.#next.set(after, new Set());
    if (before !== undefined) this.#next.get(before)?.add(after);
  }

  /** What cannot be put into one order; empty when everything can. At most ten. */
  circle(): string[] {
    const waitsFor = new Map<string, number>([...this.#next.keys()].map((place) => [place, 0]));
    for (const after of this.#next.values()) {
      for (const place of after) waitsFor.set(place, (waitsFor.get(place) ?? 0) + 1);
    }
    const free = [...waitsFor].filter(([, count]) => count === 0).map(([place]) => place);
    for (let place = free.pop(); place !== undefined; place = free.pop()) {
      waitsFor.delete(place);
      for (const after of this.#next.get(place) ?? []) {
        const count = (waitsFor.get(after) ?? 0) - 1;
        waitsFor.set(after, count);
        if (count === 0) free.push(after);
      }
    }
    return [...waitsFor.keys()].slice(0, 10);
  }
}

/** What a sender said to a channel is heard in that order, but for what was refused in between and sent again. */
function checkSenders(run: RunRecord): Flaw[] {
  const flaws: Flaw[] = [];
  const publishes = new Map<string, PublishRecord>();
  for (const publish of run.publishes) {
    if (publish.outcome === 'confirmed' && !publish.refusedOnce) publishes.set(publish.id, publish);
  }
  for (const session of run.sessions) {
    const latest = new Map<string, PublishRecord>();
    for (const sight of session.sights) {
      if (sight.kind !== 'message') continue;
      const publish = publishes.get(sight.id);
      if (publish === undefined) continue;
      const key = `${sight.from} ${sight.channel}`;
      const before = latest.get(key);
      if (before !== undefined && before.n > publish.n) {
        const text = `${session.name} got ${publish.id} after ${before.id} of ${sight.from} in ${sight.channel}`;
        flaws.push({ kind: 'sender-order', text });
      }
      latest.set(key, publish);
    }
  }
  return flaws;
}
