import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Run time of all threads of these processes so far, in microseconds, as the scheduler counts it (to the nanosecond). */
export function cpuMicros(pids: readonly number[]): number {
  let nanos = 0;
  for (const pid of pids) {
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      nanos += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ')[0]);
    }
  }
  return nanos / 1000;
}

/** How main threads spent their time so far, in microseconds. */
export interface CpuTime {
  readonly ran: number;
  /** Ready to run, while others had the core. */
  readonly waited: number;
}

/** Of the main threads of these processes, which are those that answer. */
export function cpuTime(pids: readonly number[]): CpuTime {
  let [ran, waited] = [0, 0];
  for (const pid of pids) {
    const [run, wait] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ').map(Number);
    ran += (run ?? 0) / 1000;
    waited += (wait ?? 0) / 1000;
  }
  return { ran, waited };
}

/** Resident memory of these processes together, in KiB. */
export function residentKib(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    sum += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  }
  return sum;
}

/** How many files this process may open. */
export function openFilesLimit(): number {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft ?? 1024);
}

/** The words before a command that keep it on a core: servers and brokers on the first, load on the second. */
export function onCore(role: 'server' | 'load'): readonly string[] {
  if (availableParallelism() < 2) return [];
  return ['taskset', '-c', role === 'server' ? '0' : '1'];
}
