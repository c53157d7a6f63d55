import { percentile } from '../support/stats.ts';
import type { Phase, PhaseFigures, TalkJob } from './jobs.ts';
import { Ledger, type PairOf } from './ledger.ts';
import type { Person, Word } from './words.ts';

const PAD = 'x'.repeat(80);
const TICK_MS = 2;

/** People who talk at a set pace, and what they hear of it. */
export class Talk {
  readonly ledger: Ledger;
  readonly #people: readonly Person[];
  readonly #pairs: readonly PairOf[];
  readonly #job: TalkJob;
  readonly #lastAt: number[] = [];
  readonly #lastPhase: Phase[] = [];
  readonly #phases = new Map<Phase, { latencies: number[]; silence: number; stall: number }>();
  readonly #timer: NodeJS.Timeout;
  #phase: Phase = 'before';
  #turn = performance.now();
  #streamed = 0;
  #wandered = 0;
  readonly #began = performance.now();

  constructor(people: readonly Person[], job: TalkJob) {
    const rest = people.length - 2 * job.streams;
    const steady = Array.from({ length: job.streams }, (_, i) => ({ from: i, to: job.streams + i }));
    // each of the others to the one half the way round, so that nobody's partner is a neighbour in any other respect
    const others = Array.from({ length: rest }, (_, i) => ({
      from: 2 * job.streams + i,
      to: 2 * job.streams + ((i + Math.ceil(rest / 2)) % rest),
    }));
    this.#people = people;
    this.#job = job;
    this.#pairs = [...steady, ...others];
    this.ledger = new Ledger(this.#pairs);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  set phase(phase: Phase) {
    this.#phase = phase;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  heard({ pair, n, at }: Word): void {
    const now = performance.now();
    this.ledger.heard(pair, n);
    this.#of(this.#phase).latencies.push(now - at);
    if (pair >= this.#job.streams) return;
    const last = this.#lastAt[pair];
    if (last !== undefined) {
      const silence = now - last - this.#job.intervalMs;
      // one that began in the phase before belongs to both
      for (const phase of new Set([this.#phase, this.#lastPhase[pair] ?? this.#phase])) {
        this.#of(phase).silence = Math.max(this.#of(phase).silence, silence);
      }
    }
    this.#lastAt[pair] = now;
    this.#lastPhase[pair] = this.#phase;
  }

  figures(): Record<Phase, PhaseFigures> {
    const of = (phase: Phase): PhaseFigures => {
      const { latencies, silence, stall } = this.#of(phase);
      latencies.sort((a, b) => a - b);
      return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), silence, stall };
    };
    return { before: of('before'), during: of('during'), after: of('after') };
  }

  #of(phase: Phase): { latencies: number[]; silence: number; stall: number } {
    let found = this.#phases.get(phase);
    if (!found) {
      found = { latencies: [], silence: 0, stall: 0 };
      this.#phases.set(phase, found);
    }
    return found;
  }

  #tick(): void {
    const { streams, intervalMs, perSecond } = this.#job;
    const now = performance.now();
    const here = this.#of(this.#phase);
    here.stall = Math.max(here.stall, now - this.#turn - TICK_MS);
    this.#turn = now;
    const passed = now - this.#began;
    for (; this.#streamed < (passed / intervalMs) * streams; this.#streamed += 1)
      this.#say(this.#streamed % streams);
    const others = this.#pairs.length - streams;
    for (; this.#wandered < (passed / 1000) * perSecond; this.#wandered += 1)
      this.#say(streams + (this.#wandered % others));
  }

  #say(pair: number): void {
    const { from, to } = this.#pairs[pair] ?? {};
    const [sender, receiver] = [this.#people[from ?? -1], this.#people[to ?? -1]];
    if (!sender || !receiver) return;
    const n = this.ledger.next(pair);
    sender.publish(receiver.name, { pair, n, at: performance.now(), pad: PAD }).then(
      (position) => this.ledger.confirmed(pair, n, position),
      () => this.ledger.refused(),
    );
  }
}
