import { InvalidMemberError, MembershipClosedError } from '../errors.ts';
import { type Member, memberProblem } from '../member.ts';
import type {
  Membership,
  MembershipObserver,
  MembershipWatch,
  Registration,
  RegistrationObserver,
} from '../port.ts';
import { ConsulApi } from './consul-api.ts';
import {
  type ConsulMembershipOptions,
  type ResolvedConsulOptions,
  resolveConsulOptions,
} from './consul-options.ts';
import { ConsulRegistration } from './registration.ts';
import { ConsulWatch } from './watch.ts';

/** The members as Consul lists them, believed by the rules of docs/consul.md. @throws InvalidOptionError */
export function consulMembership(options: ConsulMembershipOptions): Membership {
  return new ConsulMembership(resolveConsulOptions(options));
}

class ConsulMembership implements Membership {
  readonly #options: ResolvedConsulOptions;
  readonly #api: ConsulApi;
  readonly #watches = new Set<ConsulWatch>();
  readonly #registrations = new Set<ConsulRegistration>();
  #closed: Promise<void> | undefined;

  constructor(options: ResolvedConsulOptions) {
    this.#options = options;
    const { address, token, tls, timings } = options;
    this.#api = new ConsulApi({ address, token, tls, requestTimeoutMs: timings.requestTimeoutMs });
  }

  async register(self: Member, observer: RegistrationObserver = {}): Promise<Registration> {
    if (this.#closed !== undefined) throw new MembershipClosedError();
    const problem = memberProblem(self);
    if (problem !== undefined) throw new InvalidMemberError(problem);
    const registration = new ConsulRegistration(this.#api, this.#options, self, observer);
    this.#registrations.add(registration);
    try {
      await registration.start();
    } catch (error) {
      this.#registrations.delete(registration);
      throw error;
    }
    return registration;
  }

  watch(observer: MembershipObserver): MembershipWatch {
    if (this.#closed !== undefined) throw new MembershipClosedError();
    const watch = new ConsulWatch(this.#api, this.#options, observer);
    this.#watches.add(watch);
    return watch;
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.all([...this.#watches].map((watch) => watch.close()));
      await Promise.all([...this.#registrations].map((registration) => registration.stop()));
      await this.#api.close();
    })();
    return this.#closed;
  }
}
