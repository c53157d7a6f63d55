/** Where a service is in its life. */
export type ServiceState = 'New' | 'Starting' | 'Running' | 'Stopping' | 'Terminated' | 'Failed';

//                  .-------------------------------------------.
//                  |                                           v
//   New ----> Starting ----> Running ----> Stopping ----> Terminated
//    |             |                        ^     |
//    |             '------------------------'     '------> Failed
//    '--> Terminated
const NEXT: Readonly<Record<ServiceState, readonly ServiceState[]>> = Object.freeze({
  New: ['Starting', 'Terminated'],
  Starting: ['Running', 'Stopping'],
  Running: ['Stopping'],
  Stopping: ['Terminated', 'Failed'],
  Terminated: [],
  Failed: [],
});

/** A service was asked for something that its state does not allow, for example to start twice. */
export class ServiceStateError extends Error {
  override readonly name = 'ServiceStateError';
  readonly code = 'RINGWAY_SERVICE_STATE';
  readonly service: string;
  readonly state: ServiceState;

  constructor(service: string, state: ServiceState, wanted: string) {
    super(`service ${service} cannot ${wanted}: it is ${state}`);
    this.service = service;
    this.state = state;
  }
}

/** Something with a beginning and an end. */
export interface Service {
  readonly name: string;
  readonly state: ServiceState;
  /** Why it is `Failed`, or about to be. */
  readonly failure: Error | undefined;
  /**
   * Resolves when the service runs. Called again while it starts or runs it gives the same promise.
   * Rejects with the reason when it fails to start (what was begun is cleaned up by then), and with a
   * {@link ServiceStateError} when it is stopped before it runs.
   */
  start(): Promise<void>;
  /**
   * Resolves when the service has ended, also when it ended by a failure of its own; rejects only when the stopping
   * itself went wrong. Called again it gives the same promise.
   */
  stop(): Promise<void>;
  /** Resolves when the service has ended by whatever cause, with the failure if there was one. */
  readonly ended: Promise<Error | undefined>;
  /** Calls the listener after each change, in order. @returns the function that ends it. */
  onStateChange(listener: (state: ServiceState, before: ServiceState) => void): () => void;
}

/** The two halves of a service. */
export interface ServiceOptions {
  readonly name: string;
  /** Gets everything going. `signal` is aborted when the service is stopped meanwhile. */
  starting(signal: AbortSignal): Promise<void> | void;
  /** Ends everything. Called once, whenever `starting` was called, also after it threw half way. */
  stopping(): Promise<void> | void;
}

/** A {@link Service} made of two functions; states change in one place only, and only along the arrows above. */
export class BasicService implements Service {
  readonly name: string;
  readonly ended: Promise<Error | undefined>;
  readonly #options: ServiceOptions;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<(state: ServiceState, before: ServiceState) => void>();
  readonly #end: (failure: Error | undefined) => void;
  #state: ServiceState = 'New';
  #failure: Error | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #finished: Promise<void> | undefined;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.ended = promise;
    this.#end = resolve;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  start(): Promise<void> {
    if (!this.#started) {
      // the promise is stored before anything runs: `starting` or a listener may call stop()
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#started = promise;
      resolve(this.#start());
    }
    return this.#started;
  }

  stop(): Promise<void> {
    if (!this.#stopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#stopped = promise;
      resolve(this.#stop());
    }
    return this.#stopped;
  }

  /** Ends a running service as failed: for a fault that it cannot live with. */
  fail(failure: Error): void {
    if (this.#state === 'New' || this.#state === 'Terminated' || this.#state === 'Failed') return;
    this.#failure ??= failure;
    // who asks for the outcome has `ended` and `stop()`
    this.stop().catch(() => {});
  }

  onStateChange(listener: (state: ServiceState, before: ServiceState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #start(): Promise<void> {
    if (this.#state !== 'New') throw new ServiceStateError(this.name, this.#state, 'start');
    this.#change('Starting');
    try {
      await this.#options.starting(this.#abort.signal);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      // a start that was given up because of stop() is no failure
      if (!this.#abort.signal.aborted) this.#failure ??= failure;
      // when the cleaning up fails too, the first reason is the one that helps
      await this.#finish().catch(() => {});
      throw failure;
    }
    if (this.#abort.signal.aborted) {
      await this.#finish().catch(() => {});
      throw this.#failure ?? new ServiceStateError(this.name, this.#state, 'run');
    }
    this.#change('Running');
  }

  async #stop(): Promise<void> {
    if (this.#state === 'New') {
      this.#change('Terminated');
      return;
    }
    if (this.#state === 'Starting') {
      this.#abort.abort();
      await this.#started?.catch(() => {});
    }
    await this.#finish();
  }

  #finish(): Promise<void> {
    this.#finished ??= this.#runStopping();
    return this.#finished;
  }

  async #runStopping(): Promise<void> {
    this.#change('Stopping');
    try {
      await this.#options.stopping();
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
      this.#change('Failed');
      throw error;
    }
    this.#change(this.#failure ? 'Failed' : 'Terminated');
  }

  #change(next: ServiceState): void {
    const before = this.#state;
    if (!NEXT[before].includes(next)) throw new ServiceStateError(this.name, before, `become ${next}`);
    this.#state = next;
    for (const listener of [...this.#listeners]) {
      try {
        listener(next, before);
      } catch (error) {
        // a fault of the listener's, not of the service: let it surface as uncaught, after the change is complete
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    if (next === 'Terminated' || next === 'Failed') this.#end(this.#failure);
  }
}
