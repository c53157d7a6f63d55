import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BasicService, type ServiceState, ServiceStateError } from '../src/index.ts';

function gate() {
  return Promise.withResolvers<void>();
}

/** A service whose halves end when the test says so. */
function controlled() {
  const start = gate();
  const stop = gate();
  const calls: string[] = [];
  const states: ServiceState[] = [];
  const service = new BasicService({
    name: 'thing',
    starting: () => {
      calls.push('starting');
      return start.promise;
    },
    stopping: () => {
      calls.push('stopping');
      return stop.promise;
    },
  });
  service.onStateChange((state) => states.push(state));
  return { service, start, stop, calls, states };
}

describe('a service', () => {
  test('goes from New to Terminated, each half called once', async () => {
    const { service, start, stop, calls, states } = controlled();
    start.resolve();
    stop.resolve();
    await Promise.all([service.start(), service.start()]);
    expect(service.state).toBe('Running');
    await Promise.all([service.stop(), service.stop()]);
    expect(states).toEqual(['Starting', 'Running', 'Stopping', 'Terminated']);
    expect(calls).toEqual(['starting', 'stopping']);
    expect(await service.ended).toBeUndefined();
  });

  test('that never started just ends, and cannot start any more', async () => {
    const { service, calls } = controlled();
    await service.stop();
    expect(service.state).toBe('Terminated');
    await expect(service.start()).rejects.toBeInstanceOf(ServiceStateError);
    expect(calls).toEqual([]);
  });

  test('that fails to start cleans up and says why', async () => {
    const { service, start, stop, states } = controlled();
    stop.resolve();
    start.reject(new Error('no port'));
    await expect(service.start()).rejects.toThrow('no port');
    expect(states).toEqual(['Starting', 'Stopping', 'Failed']);
    expect(await service.ended).toMatchObject({ message: 'no port' });
    await service.stop();
  });

  test('that is stopped while it starts aborts the start and ends without failure', async () => {
    let aborted = false;
    const service = new BasicService({
      name: 'thing',
      starting: (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('given up'));
          });
        }),
      stopping: () => {},
    });
    const started = service.start();
    const stopped = service.stop();
    await expect(started).rejects.toThrow('given up');
    await stopped;
    expect(aborted).toBe(true);
    expect(service.state).toBe('Terminated');
  });

  test('that does not mind the abort is stopped once it has started', async () => {
    const { service, start, stop, states } = controlled();
    const started = service.start();
    const stopped = service.stop();
    start.resolve();
    stop.resolve();
    await expect(started).rejects.toBeInstanceOf(ServiceStateError);
    await stopped;
    expect(states).toEqual(['Starting', 'Stopping', 'Terminated']);
  });

  test('that stops from within its own start does not wait for itself', async () => {
    const service: BasicService = new BasicService({
      name: 'thing',
      starting: () => {
        service.stop().catch(() => {});
      },
      stopping: () => {},
    });
    await expect(service.start()).rejects.toBeInstanceOf(ServiceStateError);
    expect(service.state).toBe('Terminated');
  });

  test('that fails while it runs stops, and is Failed', async () => {
    const { service, start, stop, states } = controlled();
    start.resolve();
    stop.resolve();
    await service.start();
    service.fail(new Error('lost'));
    expect(await service.ended).toMatchObject({ message: 'lost' });
    expect(states.at(-1)).toBe('Failed');
    await service.stop();
  });

  test('whose stopping throws is Failed, and stop() says so', async () => {
    const { service, start, stop } = controlled();
    start.resolve();
    await service.start();
    stop.reject(new Error('stuck'));
    await expect(service.stop()).rejects.toThrow('stuck');
    expect(service.state).toBe('Failed');
  });
});

/** What may be seen of a service; kept beside the real one through any sequence of events. */
const ALLOWED: Record<ServiceState, ServiceState[]> = {
  New: ['Starting', 'Terminated'],
  Starting: ['Running', 'Stopping'],
  Running: ['Stopping'],
  Stopping: ['Terminated', 'Failed'],
  Terminated: [],
  Failed: [],
};

type Step = 'start' | 'stop' | 'fail' | 'started' | 'startFailed' | 'stopped' | 'stopFailed' | 'turn';
const steps: Step[] = ['start', 'stop', 'fail', 'started', 'startFailed', 'stopped', 'stopFailed', 'turn'];

test('any sequence of events keeps to the diagram and comes to an end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...steps), { maxLength: 20 }), async (sequence) => {
      const { service, start, stop, calls } = controlled();
      start.promise.catch(() => {});
      stop.promise.catch(() => {});
      const path: ServiceState[] = ['New'];
      service.onStateChange((state, before) => {
        expect(before).toBe(path.at(-1));
        path.push(state);
      });
      const act: Record<Step, () => unknown> = {
        start: () => service.start().catch(() => {}),
        stop: () => service.stop().catch(() => {}),
        fail: () => service.fail(new Error('fault')),
        started: () => start.resolve(),
        startFailed: () => start.reject(new Error('start')),
        stopped: () => stop.resolve(),
        stopFailed: () => stop.reject(new Error('stop')),
        turn: () => new Promise((resolve) => setImmediate(resolve)),
      };
      for (const step of sequence) {
        const result = act[step]();
        if (step === 'turn') await result;
      }
      const wasRunning = service.state === 'Running';
      start.resolve();
      stop.resolve();
      await service.stop().catch(() => {});
      const failure = await service.ended;

      for (let i = 1; i < path.length; i++) expect(ALLOWED[path[i - 1] as ServiceState]).toContain(path[i]);
      expect(['Terminated', 'Failed']).toContain(service.state);
      expect(service.state === 'Failed').toBe(failure !== undefined);
      expect(calls.filter((call) => call === 'starting').length).toBe(path.includes('Starting') ? 1 : 0);
      expect(calls.filter((call) => call === 'stopping').length).toBe(path.includes('Starting') ? 1 : 0);
      if (wasRunning) expect(path).toContain('Running');
    }),
    { numRuns: 300 },
  );
});
