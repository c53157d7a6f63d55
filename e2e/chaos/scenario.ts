import { SeededRandom } from './random.ts';

/** One thing that goes wrong, or is done by an operator. Times in milliseconds. */
export type Fault =
  | { readonly kind: 'node-add'; readonly node: string }
  /** SIGTERM: a planned stop. */
  | { readonly kind: 'node-stop'; readonly node: string }
  /** `POST /drain`: the same, asked by HTTP. */
  | { readonly kind: 'node-drain'; readonly node: string }
  /** SIGKILL, and the same node started again after a while. */
  | { readonly kind: 'node-kill'; readonly node: string; readonly forMs: number }
  | { readonly kind: 'node-freeze'; readonly node: string; readonly forMs: number }
  | { readonly kind: 'link-cut'; readonly pair: Pair; readonly forMs: number }
  | { readonly kind: 'link-stall'; readonly pair: Pair; readonly forMs: number }
  /** Cut off from every peer; Consul and clients still reach it. */
  | { readonly kind: 'node-isolate'; readonly node: string; readonly forMs: number }
  | { readonly kind: 'consul-server-kill'; readonly server: number; readonly forMs: number }
  | { readonly kind: 'consul-leader-kill'; readonly forMs: number }
  | { readonly kind: 'consul-agent-empty'; readonly agent: number; readonly forMs: number }
  | { readonly kind: 'consul-agent-freeze'; readonly agent: number; readonly forMs: number }
  | { readonly kind: 'locator-kill'; readonly locator: number; readonly forMs: number }
  | { readonly kind: 'redis-restart'; readonly forMs: number }
  | { readonly kind: 'redis-freeze'; readonly forMs: number }
  | { readonly kind: 'slow-client'; readonly forMs: number };

export type FaultKind = Fault['kind'];
export type Pair = readonly [string, string];

export interface Step {
  /** Since the beginning. */
  readonly at: number;
  readonly fault: Fault;
}

/** What there is to be broken, and for how long. */
export interface ScenarioOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Nodes at the beginning. */
  readonly nodes: number;
  readonly minNodes: number;
  readonly maxNodes: number;
  readonly locators: number;
  readonly consulServers: number;
  readonly consulAgents: number;
  readonly redis: boolean;
  /** Kinds that may come; all by default, those of Redis only where there is one. */
  readonly kinds?: readonly FaultKind[];
  readonly linkTimeoutMs: number;
}

/** How often each comes, relative to the others. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = Object.freeze({
  'node-add': 4,
  'node-stop': 3,
  'node-drain': 2,
  'node-kill': 4,
  'node-freeze': 4,
  'link-cut': 2,
  'link-stall': 2,
  'node-isolate': 2,
  'consul-server-kill': 1,
  'consul-leader-kill': 1,
  'consul-agent-empty': 1,
  'consul-agent-freeze': 1,
  'locator-kill': 2,
  'redis-restart': 2,
  'redis-freeze': 2,
  'slow-client': 2,
});

export const FAULT_KINDS = Object.freeze(Object.keys(WEIGHTS)) as readonly FaultKind[];

/** What operators do on purpose: nobody who is connected may lose anything by it, whatever the log. */
export const PLANNED_KINDS: readonly FaultKind[] = Object.freeze(['node-add', 'node-stop', 'node-drain']);

/** How long a node takes, at most, to come or to go, before something else is done to it. */
const COMING_MS = 6_000;

/**
 * The schedule of a run: a pure function of its options. A target is left alone until what was done to it is over, and
 * fewer than half of the nodes are disturbed at any time.
 */
export function makeScenario(options: ScenarioOptions): readonly Step[] {
  const { kinds = FAULT_KINDS, redis } = options;
  for (const kind of kinds) if (!(kind in WEIGHTS)) throw new RangeError(`no fault of the kind ${kind}`);
  const random = new SeededRandom(options.seed);
  const town = new Town(options);
  const end = options.seconds * 1000;
  const steps: Step[] = [];
  let at = random.between(500, 1_500);
  while (at < end) {
    const possible = kinds.filter((kind) => redis || !kind.startsWith('redis-'));
    // a kind that finds no target makes room for another
    for (let draws = 0; draws < 6; draws++) {
      const fault = town.draw(random, possible, at, end);
      if (fault === undefined) continue;
      steps.push({ at, fault });
      break;
    }
    at += random.between(1_000, 4_000);
  }
  return steps;
}

/** What stands at a time of the schedule, as far as it can be known beforehand. */
class Town {
  readonly #options: ScenarioOptions;
  readonly #nodes: string[];
  /** Until when a target is to be left alone. */
  readonly #busy = new Map<string, number>();
  #added: number;

  constructor(options: ScenarioOptions) {
    this.#options = options;
    this.#nodes = Array.from({ length: options.nodes }, (_, i) => `node-${i + 1}`);
    this.#added = options.nodes;
  }

  /** One fault that can be done now; undefined when the kind that was drawn finds no target. */
  draw(random: SeededRandom, kinds: readonly FaultKind[], at: number, end: number): Fault | undefined {
    const kind = weighted(random, kinds);
    // whatever begins shortly before the end is over soon after it
    const last = (ms: number): number => Math.round(Math.min(ms, Math.max(500, end - at)));
    const { linkTimeoutMs } = this.#options;
    switch (kind) {
      case 'node-add': {
        if (this.#nodes.length >= this.#options.maxNodes) return undefined;
        this.#added += 1;
        const node = `node-${this.#added}`;
        this.#nodes.push(node);
        this.#occupy(node, at + COMING_MS);
        return { kind, node };
      }
      case 'node-stop':
      case 'node-drain': {
        const node = this.#idleNode(random, at);
        if (node === undefined || this.#nodes.length <= this.#options.minNodes) return undefined;
        this.#nodes.splice(this.#nodes.indexOf(node), 1);
        return { kind, node };
      }
      case 'node-kill': {
        const node = this.#idleNode(random, at);
        const forMs = last(random.between(200, 8_000));
        if (node === undefined) return undefined;
        this.#occupy(node, at + forMs + COMING_MS);
        return { kind, node, forMs };
      }
      case 'node-freeze':
      case 'node-isolate': {
        const node = this.#idleNode(random, at);
        const forMs = last(this.#beside(random, linkTimeoutMs));
        if (node === undefined) return undefined;
        this.#occupy(node, at + forMs + 2_000);
        return { kind, node, forMs };
      }
      case 'link-cut':
      case 'link-stall': {
        const one = this.#idleNode(random, at);
        const forMs = last(this.#beside(random, linkTimeoutMs));
        const other = this.#idleNode(random, at, one);
        if (one === undefined || other === undefined) return undefined;
        for (const node of [one, other]) this.#occupy(node, at + forMs + 2_000);
        return { kind, pair: [one, other], forMs };
      }
      case 'consul-server-kill':
      case 'consul-leader-kill': {
        const server = random.between(0, this.#options.consulServers - 1);
        const forMs = last(random.between(1_000, 6_000));
        // a second server down would be no majority: one at a time
        if (!this.#take('consul-servers', at, at + forMs + 10_000)) return undefined;
        return kind === 'consul-leader-kill' ? { kind, forMs } : { kind, server, forMs };
      }
      case 'consul-agent-empty':
      case 'consul-agent-freeze': {
        const agent = random.between(0, this.#options.consulAgents - 1);
        const forMs = last(random.between(500, 5_000));
        if (!this.#take('consul-agents', at, at + forMs + 10_000)) return undefined;
        return { kind, agent, forMs };
      }
      case 'locator-kill': {
        const locator = random.between(0, this.#options.locators - 1);
        const forMs = last(random.between(500, 5_000));
        if (!this.#take(`locator-${locator}`, at, at + forMs + COMING_MS)) return undefined;
        return { kind, locator, forMs };
      }
      case 'redis-restart':
      case 'redis-freeze': {
        const forMs = last(random.between(200, 5_000));
        if (!this.#take('redis', at, at + forMs + 3_000)) return undefined;
        return { kind, forMs };
      }
      case 'slow-client': {
        const forMs = last(random.between(3_000, 8_000));
        if (!this.#take('slow-client', at, at + forMs)) return undefined;
        return { kind, forMs };
      }
      default:
        return kind satisfies never;
    }
  }

  /** Now under a time, now over it: both sides of a timeout are of interest. */
  #beside(random: SeededRandom, limitMs: number): number {
    const over = random.next() < 0.5;
    return over ? random.between(1.2 * limitMs, 3 * limitMs) : random.between(0.1 * limitMs, 0.9 * limitMs);
  }

  #occupy(target: string, until: number): void {
    this.#busy.set(target, until);
  }

  #take(target: string, at: number, until: number): boolean {
    if ((this.#busy.get(target) ?? 0) > at) return false;
    this.#occupy(target, until);
    return true;
  }

  #idleNode(random: SeededRandom, at: number, besides?: string): string | undefined {
    const idle = this.#nodes.filter((node) => node !== besides && (this.#busy.get(node) ?? 0) <= at);
    const chosen = idle.length === 0 ? undefined : random.pick(idle);
    const disturbed = this.#nodes.length - idle.length + (besides === undefined ? 1 : 0);
    return 2 * disturbed < this.#nodes.length ? chosen : undefined;
  }
}

function weighted(random: SeededRandom, kinds: readonly FaultKind[]): FaultKind {
  const sum = kinds.reduce((total, kind) => total + WEIGHTS[kind], 0);
  let left = random.next() * sum;
  for (const kind of kinds) {
    left -= WEIGHTS[kind];
    if (left < 0) return kind;
  }
  return random.pick(kinds);
}

/** A step in a line: `12.3 s  node-kill node-2 for 4.1 s`. */
export function describeStep({ at, fault }: Step): string {
  const { kind, ...rest } = fault;
  const targets = Object.entries(rest).filter(([name]) => name !== 'forMs');
  const named = targets.map(([name, value]) =>
    Array.isArray(value) ? value.join(' - ') : typeof value === 'number' ? `${name} ${value + 1}` : value,
  );
  const lasts = 'forMs' in fault ? ` for ${(fault.forMs / 1000).toFixed(1)} s` : '';
  return `${(at / 1000).toFixed(1).padStart(6)} s  ${[kind, ...named].join(' ')}${lasts}`;
}
