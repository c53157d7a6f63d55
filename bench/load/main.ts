// The load: all clients of a run, in one process on a core of its own. Does jobs (jobs.ts) one after the other.
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicros } from '../support/proc.ts';
import { percentile } from '../support/stats.ts';
import { Client, type ClientEvents } from './client.ts';
import { FrameTemplate, MARK, pairAt, sequenceAt } from './frame.ts';
import type { Answer, ConnectJob, ConnectResult, Job, SendJob, SendResult } from './jobs.ts';
import { LookupConnection } from './lookup.ts';
import { Pair } from './pairs.ts';
import { speeches } from './speech.ts';

/** How long a run waits for what is still under way when sending is over. */
const DRAIN_MS = 3000;
const LOOKUPS = 32;

let clients: Client[] = [];
let pairs: Pair[] = [];
let answered = 0;
let failure: string | undefined;
let onDelivery: (pair: Pair, sentAt: number) => void = () => {};
let onReady: (client: Client) => void = () => {};

const events: ClientEvents = {
  ready: (client) => onReady(client),
  answered: () => {
    answered += 1;
  },
  data: (_client, bytes, start, end) => {
    const mark = bytes.indexOf(MARK, start);
    const pair = mark < 0 || mark >= end ? undefined : pairs[pairAt(bytes, mark)];
    if (pair === undefined) return;
    const sentAt = pair.take(sequenceAt(bytes, mark));
    if (!Number.isNaN(sentAt)) onDelivery(pair, sentAt);
  },
  failed: (client, why) => {
    failure ??= `client ${client.index}: ${why}`;
  },
};

async function connectAll({
  speech,
  callers,
  lookup,
  atOnce,
  pairs: wanted,
}: ConnectJob): Promise<ConnectResult> {
  const lookups = lookup && Array.from({ length: LOOKUPS }, () => new LookupConnection(lookup));
  const ready = new Map<Client, () => void>();
  onReady = (client) => ready.get(client)?.();
  const began = performance.now();
  let next = 0;

  async function connectOne(worker: number): Promise<void> {
    for (let index = next++; index < callers.length && failure === undefined; index = next++) {
      const caller = callers[index];
      const url = caller?.url ?? (await askOnce(worker, caller?.authorization ?? ''));
      await new Promise<void>((resolve) => {
        const client = new Client({ index, url, user: caller?.user ?? '' }, speeches[speech], events);
        clients[index] = client;
        ready.set(client, resolve);
        const look = setInterval(() => {
          if (failure !== undefined) resolve();
        }, 100);
        ready.set(client, () => {
          clearInterval(look);
          resolve();
        });
      });
    }
  }
  // As many workers share a lookup connection as there are more of them: each waits for its turn.
  const turns: Promise<unknown>[] = [];
  function askOnce(worker: number, authorization: string): Promise<string> {
    const at = worker % LOOKUPS;
    const connection = lookups?.[at];
    if (connection === undefined) throw new Error('a caller has neither a URL nor a lookup');
    const asked = (turns[at] ?? Promise.resolve()).then(() => connection.ask(authorization));
    turns[at] = asked.catch(() => {});
    return asked;
  }

  await Promise.all(
    Array.from({ length: Math.min(atOnce, callers.length) }, (_, worker) => connectOne(worker)),
  );
  const ms = performance.now() - began;
  for (const each of lookups ?? []) each.end();
  if (failure !== undefined) throw new Error(failure);
  pairs = wanted.map(({ from, name }, index) => {
    const sender = clients[from];
    if (sender === undefined) throw new Error(`no client ${from}`);
    return new Pair(sender, new FrameTemplate(speeches[speech], index, name));
  });
  return { connected: clients.length, ms };
}

async function send({ load, warmUpMs, measureMs, pids }: SendJob): Promise<SendResult> {
  const latencies: number[] = [];
  let measuring = false;
  let sending = true;
  let ticker: NodeJS.Timeout | undefined;
  if ('window' in load) {
    onDelivery = (pair) => {
      if (sending) pair.send(0);
    };
    for (const pair of pairs) for (let i = 0; i < load.window; i += 1) pair.send(0);
  } else {
    onDelivery = (_pair, sentAt) => {
      if (measuring) latencies.push(performance.now() - sentAt);
    };
    const began = performance.now();
    let count = 0;
    ticker = setInterval(() => {
      const now = performance.now();
      for (; count < ((now - began) / 1000) * load.perSecond; count += 1)
        pairs[count % pairs.length]?.send(now);
    }, 1);
  }
  await sleep(warmUpMs);
  const before = {
    at: performance.now(),
    cpu: cpuMicros(pids),
    own: process.cpuUsage(),
    delivered: sum('delivered'),
  };
  measuring = true;
  await sleep(measureMs);
  measuring = false;
  const own = process.cpuUsage(before.own);
  const measured = {
    delivered: sum('delivered') - before.delivered,
    ms: performance.now() - before.at,
    cpuMicros: cpuMicros(pids) - before.cpu,
    loadCpuMicros: own.user + own.system,
  };
  sending = false;
  clearInterval(ticker);
  const end = performance.now() + DRAIN_MS;
  while (sum('lost') > 0 && performance.now() < end && failure === undefined) await sleep(10);
  if (failure !== undefined) throw new Error(failure);
  latencies.sort((a, b) => a - b);
  return {
    sent: sum('sent'),
    delivered: sum('delivered'),
    lost: sum('lost'),
    doubled: sum('doubled'),
    disordered: sum('disordered'),
    answered,
    measured,
    ...('perSecond' in load && {
      latency: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
    }),
  };
}

function sum(what: 'sent' | 'delivered' | 'lost' | 'doubled' | 'disordered'): number {
  let total = 0;
  for (const pair of pairs) total += pair[what];
  return total;
}

async function work(job: Job): Promise<Answer> {
  try {
    if (job.job === 'connect') return { result: await connectAll(job) };
    if (job.job === 'send') return { result: await send(job) };
    for (const client of clients) client.end();
    clients = [];
    process.disconnect();
    return { error: 'ended' };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (job: Job) => {
  void work(job).then((answer) => {
    if (process.connected) process.send?.(answer);
  });
});
