// GET /route with an authenticated caller and a signed ticket, beside a bare Fastify route with the same schema: requests
// a second of one server process with a core to itself, and CPU a request as /proc has it. Both in turns, in one run.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { routeSchema } from '@ringway/locator';
import { KeyFamily, signCompact } from '@ringway/service';
import type { LoadJob, LoadResult, ServerJob } from './route/jobs.ts';
import { cpuMicros, onCore } from './support/proc.ts';
import { atMost, type Row, rowsTable } from './support/row.ts';
import { spread } from './support/stats.ts';
import { table } from './support/table.ts';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, json: { type: 'boolean' } } });
const ROUNDS = flags.short ? 6 : 15;
const MILLISECONDS = flags.short ? 500 : 1000;
// a locator runs for weeks: it is measured when its code has been compiled, which takes some ten thousand requests
const WARM_UP_REQUESTS = flags.short ? 40_000 : 100_000;
const CALLERS = 5000;
const AUTH_KEYS = 'a'.repeat(32);

const children: ChildProcess[] = [];

function start(script: string, role: 'server' | 'load'): ChildProcess {
  const path = fileURLToPath(new URL(`./route/${script}`, import.meta.url));
  const node = [process.execPath, '--conditions=@ringway/source', '--no-warnings'];
  const [execPath = '', ...execArgv] = [...onCore(role), ...node];
  const child = fork(path, { execPath, execArgv });
  children.push(child);
  return child;
}

async function startServer(script: string, job: ServerJob): Promise<{ child: ChildProcess; url: string }> {
  const child = start(script, 'server');
  child.send(job);
  const { url } = await answerOf<{ url: string }>(child);
  return { child, url: `${url}/route` };
}

/** The next message of a process, or a failure when it ends instead. */
async function answerOf<T>(child: ChildProcess): Promise<T> {
  const done = new AbortController();
  const ended = once(child, 'exit', { signal: done.signal }).then(([code]) => {
    throw new Error(`a process of the bench ended with ${String(code)}`);
  });
  try {
    const message = once(child, 'message', { signal: done.signal });
    const [answer] = (await Promise.race([message, ended])) as [T];
    return answer;
  } finally {
    done.abort();
    ended.catch(() => {});
  }
}

/** Run time of a process so far, in microseconds. */
function cpu({ pid = 0 }: ChildProcess): number {
  return cpuMicros([pid]);
}

function median(values: readonly number[]): number {
  return spread(values).median;
}

/** Tokens as an application would make them: distinct, so that nothing can be answered from memory. */
function callerTokens(): string[] {
  const keys = KeyFamily.parse('RINGWAY_AUTH_KEYS', AUTH_KEYS);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const cap = { publish: ['user:*', 'group:class-7'], join: ['group:class-7'] };
  return Array.from({ length: CALLERS }, (_, i) => {
    const claims = { iss: 'https://login.example.com', sub: `user-${i}`, exp, iat: exp - 3600, cap };
    return `Bearer ${signCompact(keys, 'JWT', JSON.stringify(claims))}`;
  });
}

async function load(child: ChildProcess, job: LoadJob): Promise<LoadResult> {
  child.send(job);
  const result = await answerOf<LoadResult>(child);
  if (result.refused > 0) throw new Error(`${result.refused} of ${result.answered} answers were not 200`);
  return result;
}

async function main(): Promise<Row[]> {
  const tokens = callerTokens();
  const locator = await startServer('locator-server.ts', { authKeys: AUTH_KEYS, answer: '', schema: {} });
  const sample = await fetch(locator.url, { headers: { authorization: tokens[0] ?? '' } });
  const answer = await sample.text();
  const bare = await startServer('bare-server.ts', { authKeys: '', answer, schema: routeSchema });
  const client = start('load.ts', 'load');
  const servers = { bare, locator };
  const rates = { bare: [] as number[], locator: [] as number[] };
  const costs = { bare: [] as number[], locator: [] as number[] };
  const busy: number[] = [];
  const names = ['bare', 'locator'] as const;
  const job = (name: (typeof names)[number], milliseconds: number) => {
    return { url: servers[name].url, tokens, connections: 16, atOnce: 4, milliseconds };
  };
  for (const name of names) {
    for (let sent = 0; sent < WARM_UP_REQUESTS; )
      sent += (await load(client, job(name, MILLISECONDS))).answered;
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const before = cpu(servers[name].child);
      const clientBefore = cpu(client);
      const { answered, milliseconds } = await load(client, job(name, MILLISECONDS));
      rates[name].push((answered * 1000) / milliseconds);
      costs[name].push((cpu(servers[name].child) - before) / answered);
      busy.push((cpu(client) - clientBefore) / (milliseconds * 1000));
    }
  }
  const rate = { bare: median(rates.bare), locator: median(rates.locator) };
  return [
    {
      name: '/route, requests/s (bare Fastify, same schema)',
      measured: rate.locator,
      beside: rate.bare,
      target: '>= 0.5 x',
      ok: rate.locator >= 0.5 * rate.bare,
    },
    atMost(
      '/route, CPU us/request, every caller verified, nothing cached (bare Fastify)',
      median(costs.locator),
      median(costs.bare),
      2,
    ),
    // else it is the load that was measured, and the two would look more alike than they are
    atMost('/route, share of its core that the load needed (all of it)', median(busy), 1, 0.95),
  ];
}

try {
  const rows = await main();
  console.log(flags.json ? JSON.stringify(rows) : table(rowsTable(rows)));
  process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1;
} finally {
  for (const child of children) child.kill('SIGTERM');
}
