// All clients of a fleet, in one process on a core of its own. Does jobs (jobs.ts) one after the other.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, ArriveJob, Job, Look, Told } from './jobs.ts';
import { SdkPerson } from './sdk-person.ts';
import { SocketIoPerson } from './socket-io-person.ts';
import { Talk } from './talk.ts';
import type { Person, PersonEvents } from './words.ts';

/** How long what is under way is waited for when the talk is over: as long as the SDK's publishes may take. */
const HUSH_MS = 31_000;

const people: Person[] = [];
let talk: Talk | undefined;
let since = { nodes: [] as readonly string[], stood: 0, away: new Set<number>(), backAt: [] as number[] };
let lastStoodAt = 0;

function now(): number {
  return performance.timeOrigin + performance.now();
}

function eventsOf(index: number): PersonEvents {
  return {
    heard: (word) => talk?.heard(word),
    gap: (after, upTo) => talk?.ledger.gap(index, after, upTo),
    away: () => since.away.add(index),
    back: () => {
      since.backAt[index] = now();
    },
    stood: () => {
      since.stood += 1;
      lastStoodAt = now();
    },
  };
}

async function arrive({ kind, names, addresses, tokens, atOnce }: ArriveJob): Promise<Look> {
  for (const [i, name] of names.entries()) {
    const index = people.length;
    const events = eventsOf(index);
    people.push(
      kind === 'sdk'
        ? new SdkPerson(name, addresses[0] ?? '', tokens[i] ?? '', events)
        : new SocketIoPerson(name, addresses, index, events),
    );
  }
  const queue = people.slice(-names.length).values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const person of queue) await person.connect();
    }),
  );
  return look();
}

function look(): Look {
  return {
    connected: people.filter(({ connected }) => connected).length,
    nodes: people.map(({ node }) => node),
  };
}

async function hush(node: string | undefined): Promise<Told> {
  if (!talk) throw new Error('nobody talks');
  const { ledger } = talk;
  talk.stop();
  const end = performance.now() + HUSH_MS;
  const whole = (): boolean => ledger.open === 0 && ledger.count().lost === 0;
  // What a broken connection swallowed is never answered where nothing is sent again: four quiet seconds say that.
  let seen = '';
  let quietFrom = performance.now();
  while (!whole() && performance.now() < end && performance.now() - quietFrom < 4000) {
    await sleep(50);
    const state = JSON.stringify([ledger.open, ledger.count()]);
    if (state !== seen || people.some(({ connected }) => !connected)) quietFrom = performance.now();
    seen = state;
  }
  await sleep(300); // a second delivery of the last ones would come now
  const held = since.nodes.flatMap((place, index) => (place === node ? [index] : []));
  const told = {
    ...ledger.count(),
    phases: talk.figures(),
    moved: since.nodes.filter((place, index) => place !== people[index]?.node).length,
    stood: since.stood,
    away: since.away.size,
    lastStoodAt,
    held: held.length,
    backAt: held.flatMap((index) => since.backAt[index] ?? []),
  };
  talk = undefined;
  return told;
}

async function work(job: Job): Promise<unknown> {
  switch (job.job) {
    case 'arrive':
      return arrive(job);
    case 'talk':
      talk = new Talk(people, job);
      return undefined;
    case 'phase':
      if (talk) talk.phase = job.phase;
      if (job.phase === 'during') since = { nodes: look().nodes, stood: 0, away: new Set(), backAt: [] };
      return undefined;
    case 'look':
      return look();
    case 'hush':
      return hush(job.node);
  }
}

process.on('message', (job: Job) => {
  work(job).then(
    (result) => process.send?.({ result } satisfies Answer),
    (error: unknown) => process.send?.({ error: String(error) } satisfies Answer),
  );
});
