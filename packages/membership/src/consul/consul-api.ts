import { EventEmitter } from 'node:events';
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import Consul from 'consul';
import { Agent as Dispatcher, request } from 'undici';
import { RegistryError } from '../errors.ts';
import type { ConsulTls } from './consul-options.ts';

/** A read of the catalogue. Without `index` it answers at once. */
export interface HealthQuery {
  readonly service: string;
  readonly stale: boolean;
  readonly index?: bigint;
  readonly waitMs?: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A 200 answer with a usable index. */
export interface HealthAnswer {
  readonly index: bigint;
  readonly knownLeader: boolean;
  readonly lastContactMs: number;
  readonly body: unknown;
}

/** A registration as the agent is told it. */
export interface ServiceDefinition {
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly meta: Readonly<Record<string, string>>;
  readonly check: {
    readonly name: string;
    readonly http: string;
    readonly interval: string;
    readonly timeout: string;
    readonly status: 'passing' | 'critical';
    readonly tlsskipverify: boolean;
    readonly deregistercriticalserviceafter: string;
  };
}

/** A service as the local agent holds it. */
export interface AgentService {
  readonly hash: string;
  readonly meta: unknown;
}

/** Whom to ask, and as whom. */
export interface ConsulApiOptions {
  readonly address: string;
  readonly token: string | undefined;
  readonly tls: ConsulTls;
  readonly requestTimeoutMs: number;
}

// What the calls of npm `consul` really take and give. Its types know none of `index`, `wait`, `stale`, `timeout` and
// `ctx` here; with `includeResponse` a call gives [response, body], where it else gives the body without its headers.
interface CallOptions {
  timeout: number;
  ctx?: EventEmitter & { includeResponse?: boolean };
}
interface RealCalls {
  health: {
    service(
      options: CallOptions & { service: string; stale: boolean; index?: string; wait?: string },
    ): Promise<[IncomingMessage, unknown]>;
  };
  agent: {
    checks(options: CallOptions): Promise<unknown>;
    service: {
      register(options: CallOptions & ServiceDefinition): Promise<void>;
      deregister(options: CallOptions & { id: string }): Promise<void>;
      maintenance(options: CallOptions & { id: string; enable: boolean; reason?: string }): Promise<void>;
    };
  };
  destroy(): void;
}

/** The calls to Consul's HTTP API, with errors as RegistryError. The only file that knows npm `consul`. */
export class ConsulApi {
  readonly #calls: RealCalls;
  readonly #dispatcher: Dispatcher;
  readonly #options: ConsulApiOptions;

  constructor(options: ConsulApiOptions) {
    this.#options = options;
    const url = new URL(options.address);
    const secure = url.protocol === 'https:';
    const { ca, cert, key, serverName } = options.tls;
    const tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    };
    // npm `consul` makes a URL of the host, so an IPv6 address keeps its brackets, then hands it to node:http, which
    // takes none: the agent's own host, which overrides, has them off.
    const bare = url.hostname.startsWith('[') ? { host: url.hostname.slice(1, -1) } : {};
    const client = new Consul({
      host: url.hostname,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      secure,
      agent: secure
        ? new HttpsAgent({ keepAlive: true, ...tls, ...bare })
        : new HttpAgent({ keepAlive: true, ...bare }),
      ...(options.token === undefined ? {} : { defaults: { token: options.token } }),
    });
    this.#calls = client as unknown as RealCalls;
    this.#dispatcher = new Dispatcher({ connect: tls });
  }

  /** Reads the instances of a service. Any status but 200, and an answer without an index above 0, is an error. */
  async health(query: HealthQuery): Promise<HealthAnswer> {
    const operation = `health of ${query.service}`;
    const [response, body] = await this.#call(operation, query.signal, (ctx) =>
      this.#calls.health.service({
        service: query.service,
        stale: query.stale,
        timeout: query.timeoutMs,
        ctx: Object.assign(ctx, { includeResponse: true }),
        ...(query.index === undefined
          ? {}
          : { index: query.index.toString(), wait: `${query.waitMs ?? 10_000}ms` }),
      }),
    );
    const { statusCode: status, headers } = response;
    if (status !== 200) throw new RegistryError(operation, status === undefined ? {} : { status });
    const index = headers['x-consul-index'];
    if (typeof index !== 'string' || !/^[1-9]\d{0,19}$/.test(index)) {
      throw new RegistryError(operation, { status, message: 'an answer without an index' });
    }
    const lastContact = headers['x-consul-lastcontact'];
    return {
      index: BigInt(index),
      knownLeader: headers['x-consul-knownleader'] === 'true',
      lastContactMs:
        typeof lastContact === 'string' && /^\d+$/.test(lastContact) ? Number(lastContact) : Infinity,
      body,
    };
  }

  async register(definition: ServiceDefinition, signal: AbortSignal): Promise<void> {
    await this.#call(`register ${definition.id}`, signal, (ctx) =>
      this.#calls.agent.service.register({ ...definition, timeout: this.#options.requestTimeoutMs, ctx }),
    );
  }

  async deregister(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(`deregister ${id}`, signal, (ctx) =>
      this.#calls.agent.service.deregister({ id, timeout: this.#options.requestTimeoutMs, ctx }),
    );
  }

  /** Maintenance on with a reason, or off without one. */
  async maintenance(id: string, reason: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#call(`maintenance of ${id}`, signal, (ctx) =>
      this.#calls.agent.service.maintenance({
        id,
        enable: reason !== undefined,
        timeout: this.#options.requestTimeoutMs,
        ctx,
        ...(reason === undefined ? {} : { reason }),
      }),
    );
  }

  /** Why a service of this agent is in maintenance; undefined when it is not. */
  async maintenanceReason(id: string, signal: AbortSignal): Promise<string | undefined> {
    const checks = await this.#call('checks of the agent', signal, (ctx) =>
      this.#calls.agent.checks({ timeout: this.#options.requestTimeoutMs, ctx }),
    );
    const check = (checks as Record<string, { Notes?: unknown } | undefined> | null)?.[
      `_service_maintenance:${id}`
    ];
    if (check === undefined) return undefined;
    return typeof check.Notes === 'string' ? check.Notes : '';
  }

  /**
   * The service as the local agent holds it, undefined when it holds none. With `hash` it answers when the service is
   * no longer so, or after the wait. By undici, for npm `consul` has no such call.
   */
  async agentService(
    id: string,
    blocking: { hash: string; waitMs: number } | undefined,
    signal: AbortSignal,
  ): Promise<AgentService | undefined> {
    const operation = `service ${id} of the agent`;
    const query =
      blocking === undefined ? '' : `?hash=${encodeURIComponent(blocking.hash)}&wait=${blocking.waitMs}ms`;
    const url = `${this.#options.address}/v1/agent/service/${encodeURIComponent(id)}${query}`;
    const timeoutMs =
      blocking === undefined ? this.#options.requestTimeoutMs : blockingTimeoutMs(blocking.waitMs);
    try {
      const response = await request(url, {
        dispatcher: this.#dispatcher,
        headers: this.#options.token === undefined ? {} : { 'x-consul-token': this.#options.token },
        headersTimeout: 0,
        bodyTimeout: 0,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      if (response.statusCode !== 200) {
        await response.body.dump();
        if (response.statusCode === 404) return undefined;
        throw new RegistryError(operation, { status: response.statusCode });
      }
      const body = (await response.body.json()) as { ContentHash?: unknown; Meta?: unknown } | null;
      return { hash: typeof body?.ContentHash === 'string' ? body.ContentHash : '', meta: body?.Meta };
    } catch (cause) {
      if (cause instanceof RegistryError) throw cause;
      throw new RegistryError(operation, { cause });
    }
  }

  async close(): Promise<void> {
    this.#calls.destroy();
    await this.#dispatcher.destroy();
  }

  /** Runs one call of npm `consul`, which is cancelled by an event instead of a signal. */
  async #call<T>(
    operation: string,
    signal: AbortSignal,
    call: (ctx: EventEmitter) => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw new RegistryError(operation, { cause: signal.reason });
    const ctx = new EventEmitter();
    const cancel = (): void => {
      ctx.emit('cancel');
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await call(ctx);
    } catch (cause) {
      const { statusCode: status } = cause as { statusCode?: unknown };
      if (typeof status !== 'number') throw new RegistryError(operation, { cause });
      // Not as a cause: it holds the whole exchange, the token in its headers included, and causes end up in logs.
      const said = cause instanceof Error ? cause.message.slice(0, 200) : '';
      throw new RegistryError(operation, { status, message: `status ${status}: ${said}` });
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}

/** How long to wait for the answer to a blocking query: Consul adds up to a sixteenth to the wait. */
export function blockingTimeoutMs(waitMs: number): number {
  return waitMs * 1.07 + 2_000;
}
