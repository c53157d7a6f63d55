import { backoffMs } from '../backoff.ts';
import { MembershipClosedError, RegistryError } from '../errors.ts';
import type { Member } from '../member.ts';
import type { Registration, RegistrationObserver } from '../port.ts';
import { memberMeta, memberOf } from '../signed-member.ts';
import type { ConsulApi, ServiceDefinition } from './consul-api.ts';
import type { ResolvedConsulOptions } from './consul-options.ts';

const LEAVING = 'ringway: leaving ';

/** Consul's ID of a node's registration: with the service's name, so that two clusters can share an agent. */
export function consulServiceId(service: string, memberId: string): string {
  return `${service}:${memberId}`;
}

/**
 * What the agent is told of a node. One failed check makes it critical at once: how long that must last is the
 * watchers' rule (2.5 s), which also covers what Consul's FailuresBeforeCritical would, and a second sooner (a killed
 * node is critical after 0.4 s instead of 1.5 s, a frozen one after 1.6 s instead of 3.4 s).
 */
export function serviceDefinition(
  member: Member,
  options: Pick<ResolvedConsulOptions, 'service' | 'signer' | 'check'>,
  status: 'passing' | 'critical',
): ServiceDefinition {
  const url = new URL(member.internalUrl);
  const { service, signer, check } = options;
  return {
    name: service,
    id: consulServiceId(service, member.id),
    address: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    meta: memberMeta(service, member, signer),
    check: {
      name: 'healthz',
      http: check.url ?? `${member.internalUrl.replace(/\/$/, '')}/healthz`,
      interval: '1s',
      // Consul's default would let an answer pass that took 4 s.
      timeout: '1s',
      status,
      tlsskipverify: check.tlsSkipVerify,
      // Only tidies the list: a critical node is long out of every ring.
      deregistercriticalserviceafter: check.deregisterAfter,
    },
  };
}

/** One node's registration, and the care that it stays. */
export class ConsulRegistration implements Registration {
  readonly #api: ConsulApi;
  readonly #options: ResolvedConsulOptions;
  readonly #member: Member;
  readonly #observer: RegistrationObserver;
  readonly #id: string;
  readonly #closing = new AbortController();
  #keeping: Promise<void> | undefined;
  /** Calls are done one after another. */
  #queue: Promise<void> = Promise.resolve();
  #leaving = false;
  /** Whether the agent was told what `#leaving` says. */
  #told = true;
  #over = false;
  /** While deregistering: not to be found is no loss then. */
  #ending = false;

  constructor(
    api: ConsulApi,
    options: ResolvedConsulOptions,
    member: Member,
    observer: RegistrationObserver,
  ) {
    this.#api = api;
    this.#options = options;
    this.#member = member;
    this.#observer = observer;
    this.#id = consulServiceId(options.service, member.id);
  }

  /** Registers, trying again while Consul does not answer, then watches over it. @throws RegistryError */
  async start(): Promise<void> {
    const { clock, timings, random } = this.#options;
    const deadline = clock.now() + timings.registerPatienceMs;
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#register();
        await this.#forgetFormerLeave();
        break;
      } catch (error) {
        if (this.#closing.signal.aborted) throw new MembershipClosedError();
        const refused = error instanceof RegistryError && error.status !== undefined && error.status < 500;
        if (refused || clock.now() >= deadline) throw error;
        await clock.sleep(backoffMs(failures, timings.backoff, random), this.#closing.signal);
      }
    }
    this.#keeping = this.#keep();
  }

  leave(): Promise<void> {
    return this.#inTurn(() => this.#say(true));
  }

  rejoin(): Promise<void> {
    return this.#inTurn(() => this.#say(false));
  }

  async deregister(): Promise<void> {
    await this.#inTurn(async () => {
      this.#ending = true;
      try {
        // A later start under this id may have taken the registration over: that one stays.
        const found = await this.#api.agentService(this.#id, undefined, this.#closing.signal);
        if (found !== undefined && this.#successor(found.meta) === undefined) {
          await this.#api.deregister(this.#id, this.#closing.signal);
        }
        this.#over = true;
      } finally {
        this.#ending = false;
      }
    });
    await this.stop();
  }

  /** Ends the care; the registration stays with the agent. */
  async stop(): Promise<void> {
    this.#over = true;
    this.#closing.abort();
    await this.#keeping;
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(() => (this.#over ? undefined : action()));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #say(leaving: boolean): Promise<void> {
    this.#leaving = leaving;
    this.#told = false;
    await this.#tellLeaving();
  }

  async #tellLeaving(): Promise<void> {
    const reason = this.#leaving ? LEAVING + this.#member.incarnation : undefined;
    try {
      await this.#api.maintenance(this.#id, reason, this.#closing.signal);
      this.#told = true;
    } catch (error) {
      // The agent has lost the service: registering it anew says the same.
      if (!(error instanceof RegistryError && error.status === 404)) throw error;
      await this.#register();
    }
  }

  async #register(): Promise<void> {
    // A leaving node must not look alive in the moment between the two calls.
    const status = this.#leaving ? 'critical' : 'passing';
    await this.#api.register(serviceDefinition(this.#member, this.#options, status), this.#closing.signal);
    if (this.#leaving) {
      await this.#api.maintenance(this.#id, LEAVING + this.#member.incarnation, this.#closing.signal);
    }
    this.#told = true;
  }

  /** Maintenance outlives a new registration: what an earlier start said of itself is over, an operator's word is not. */
  async #forgetFormerLeave(): Promise<void> {
    const reason = await this.#api.maintenanceReason(this.#id, this.#closing.signal);
    if (reason?.startsWith(LEAVING)) await this.#api.maintenance(this.#id, undefined, this.#closing.signal);
    else if (reason !== undefined) {
      this.#options.log.warn(
        { id: this.#member.id, reason },
        'consul: this node is in maintenance by an operator',
      );
    }
  }

  async #keep(): Promise<void> {
    const { clock, timings, random, log, hooks } = this.#options;
    const { signal } = this.#closing;
    let hash: string | undefined;
    let failures = 0;
    let lost = false;
    while (!this.#over && !signal.aborted) {
      const startedAt = clock.now();
      try {
        const blocking = hash === undefined || !this.#told ? undefined : { hash, waitMs: timings.waitMs };
        const found = await this.#api.agentService(this.#id, blocking, signal);
        if (this.#over) break;
        if (found === undefined) {
          hash = undefined;
          if (!lost && !this.#ending) {
            lost = true;
            log.warn({ id: this.#member.id }, 'consul: the agent has lost this node, registering it again');
            this.#tell(() => this.#observer.lost?.());
          }
          await this.#inTurn(() => this.#register());
        } else {
          const successor = this.#successor(found.meta);
          if (successor !== undefined) return this.#replaced(successor);
          if (!this.#isOurs(found.meta)) {
            // Written over by a stranger, or signed by a key that is no longer the newest.
            await this.#inTurn(() => this.#register());
            hash = undefined;
          } else {
            hash = found.hash === '' ? undefined : found.hash;
            if (!this.#told) await this.#inTurn(() => this.#tellLeaving());
          }
        }
        if (lost && found === undefined) {
          lost = false;
          hooks.reregistered?.();
          log.info({ id: this.#member.id }, 'consul: this node is registered again');
          this.#tell(() => this.#observer.restored?.());
        }
        failures = 0;
        const pause = hash === undefined && found !== undefined ? timings.waitMs / 10 : timings.minGapMs;
        await clock.sleep(startedAt + pause - clock.now(), signal);
      } catch (error) {
        if (signal.aborted) break;
        hash = undefined;
        failures += 1;
        if (failures === 1) {
          const message = error instanceof Error ? error.message : String(error);
          log.warn({ id: this.#member.id, error: message }, 'consul: cannot look after the registration');
        }
        await clock.sleep(backoffMs(failures, timings.backoff, random), signal);
      }
    }
  }

  #isOurs(meta: unknown): boolean {
    const wanted = memberMeta(this.#options.service, this.#member, this.#options.signer);
    const given = typeof meta === 'object' && meta !== null ? (meta as Record<string, unknown>) : {};
    return Object.entries(wanted).every(([name, value]) => given[name] === value);
  }

  /** The incarnation of another, proven start of this node that holds the registration. */
  #successor(meta: unknown): string | undefined {
    const found = memberOf(this.#options.service, meta, this.#options.signer);
    if ('reason' in found || found.member.id !== this.#member.id) return undefined;
    return found.member.incarnation === this.#member.incarnation ? undefined : found.member.incarnation;
  }

  #replaced(incarnation: string): void {
    this.#over = true;
    this.#options.log.error(
      { id: this.#member.id, incarnation },
      'consul: another start of this node has taken its registration over',
    );
    this.#tell(() => this.#observer.replaced?.(incarnation));
  }

  #tell(call: () => void): void {
    queueMicrotask(() => {
      if (this.#closing.signal.aborted) return;
      try {
        call();
      } catch (error) {
        this.#options.log.error({ error: String(error) }, 'membership: an observer failed');
      }
    });
  }
}
