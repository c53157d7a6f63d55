import { freePorts } from '@ringway/testkit';
import type { Peer } from './peer.ts';
import { killAll, seatsOn, startServer } from './server.ts';

/** Two hops over plain TCP, everything gathered, nothing checked: about what JavaScript can do. */
export const bound: Peer = {
  name: 'bound: two hops over TCP',
  speech: 'plain',
  async start(nodes) {
    const links = await freePorts(nodes);
    const servers = await Promise.all(links.map((_, index) => startServer('bound.ts', index, ...links)));
    const processes = servers.map((server) => server.process);
    let asked = 0;
    const pids = processes.map(({ pid }) => pid);
    return {
      pids,
      holders: pids,
      seats: async (count, skip = 0) => seatsOn(servers, [skip, count], (user) => `/?user=${user}`),
      async frames() {
        asked += 1;
        const counts = await Promise.all(
          processes.map(async (each) => {
            each.signal('SIGUSR2');
            const pattern = new RegExp(`(?:frames (\\d+)\\n[^]*){${asked}}$`);
            return Number((await each.waitForOutput(pattern))[1]);
          }),
        );
        return counts.reduce((sum, count) => sum + count, 0);
      },
      [Symbol.asyncDispose]: () => killAll(processes),
    };
  },
};
