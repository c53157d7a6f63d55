// The load: all clients of a run, in one process on a core of its own. Does jobs (jobs.ts) one after the other.
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicros } from '../support/proc.ts';
import { percentile } from '../support/stats.ts';
import { Client, type ClientEvents } from './client.ts';
import { FrameTemplate, MARK, sequenceAt, streamAt } from './frame.ts';
import type { Answer, ConnectJob, ConnectResult, Job, SendJob, SendResult } from './jobs.ts';
import { LookupConnection } from './lookup.ts';
import { speeches } from './speech.ts';
import { Crowd, Pair, type Stream } from './streams.ts';

/** How long nothing must have come, when sending is over, for what is missing to count as lost. */
const SILENCE_MS = 3000;
const LOOKUPS = 32;

let clients: Client[] = [];
let streams: Stream[] = [];
let answered = 0;
let failure: string | undefined;
let onDelivery: (stream: Stream, sentAt: number) => void = () => {};
let onReady: (client: Client) => void = () => {};

const events: ClientEvents = {
  ready: (client) => onReady(client),
  answered: () => {
    answered += 1;
  },
  data: (client, bytes, start, end) => {
    const mark = bytes.indexOf(MARK, start);
    const stream = mark < 0 || mark >= end ? undefined : streams[streamAt(bytes, mark)];
    if (stream === undefined) return;
    const sentAt = stream.take(sequenceAt(bytes, mark), client.index);
    if (!Number.isNaN(sentAt)) onDelivery(stream, sentAt);
  },
  failed: (client, why) => {
    failure ??= `client ${client.index}: ${why}`;
  },
};

async function connectAll({ speech, callers, lookup, atOnce, routes }: ConnectJob): Promise<ConnectResult> {
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
        const client = new Client(
          { index, url, user: caller?.user ?? '', group: caller?.group },
          speeches[speech],
          events,
        );
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
  streams = routes.map((route, index) => {
    const sender = clients[route.from];
    if (sender === undefined) throw new Error(`no client ${route.from}`);
    const to = 'user' in route ? `user:${route.user}` : `group:${route.group}`;
    const template = new FrameTemplate(speeches[speech], index, to);
    return 'user' in route ? new Pair(sender, template) : new Crowd(sender, template, route.members);
  });
  return { connected: clients.length, ms };
}

async function send({ load, warmUpMs, measureMs, pids }: SendJob): Promise<SendResult> {
  const latencies: number[] = [];
  let measuring = false;
  let sending = true;
  let ticker: NodeJS.Timeout | undefined;
  if ('window' in load) {
    onDelivery = (stream) => {
      if (sending && stream.underWay < load.window) stream.send(0);
    };
    for (const stream of streams) for (let i = 0; i < load.window; i += 1) stream.send(0);
  } else {
    onDelivery = (_stream, sentAt) => {
      if (measuring) latencies.push(performance.now() - sentAt);
    };
    const began = performance.now();
    let count = 0;
    ticker = setInterval(() => {
      const now = performance.now();
      for (; count < ((now - began) / 1000) * load.perSecond; count += 1)
        streams[count % streams.length]?.send(now);
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
  await drained();
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

/** Waits until all has come, or nothing has for a while: a server that is slower than its load is not one that loses. */
async function drained(): Promise<void> {
  let [last, at] = [-1, 0];
  while (sum('lost') > 0 && failure === undefined) {
    const delivered = sum('delivered');
    if (delivered !== last) [last, at] = [delivered, performance.now()];
    else if (performance.now() - at > SILENCE_MS) return;
    await sleep(10);
  }
}

function sum(what: 'sent' | 'delivered' | 'lost' | 'doubled' | 'disordered'): number {
  let total = 0;
  for (const stream of streams) total += stream[what];
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
