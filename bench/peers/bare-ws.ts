import type { Peer } from './peer.ts';
import { killAll, seatsOn, startServer } from './server.ts';

/** Processes that know nothing of each other; one hop, and one write a message. */
export const bareWs: Peer = {
  name: 'bare ws, one hop',
  speech: 'plain',
  oneHop: true,
  async start(nodes) {
    const servers = await Promise.all(Array.from({ length: nodes }, () => startServer('bare-ws.ts')));
    const processes = servers.map((server) => server.process);
    const pids = processes.map(({ pid }) => pid);
    return {
      pids,
      holders: pids,
      seats: async (count, skip = 0) => seatsOn(servers, [skip, count], (user) => `/?user=${user}`),
      [Symbol.asyncDispose]: () => killAll(processes),
    };
  },
};
