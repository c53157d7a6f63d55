// A node as far as membership goes, as a process of its own: serves /healthz on its internal listener, then registers.
// Settings as JSON in the first argument; prints `ready`, then `lost`, `restored` and `replaced` as they happen.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { consulMembership } from '../../src/index.ts';
import { clusterSigner, member } from './members.ts';

const { id, incarnation, address, service } = JSON.parse(process.argv[2] ?? '{}') as Record<string, string>;
const server = createServer((request, response) => {
  response.statusCode = request.url === '/healthz' ? 200 : 404;
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  void register(`http://127.0.0.1:${port}`);
});

async function register(internalUrl: string): Promise<void> {
  const membership = consulMembership({
    address: address ?? '',
    service: service ?? '',
    signer: clusterSigner(),
  });
  const say = (word: string) => () => void process.stdout.write(`${word}\n`);
  const self = member(id ?? '', { incarnation: incarnation ?? '', internalUrl });
  const registration = await membership.register(self, {
    lost: say('lost'),
    restored: say('restored'),
    replaced: say('replaced'),
  });
  process.once('SIGTERM', () => {
    void registration
      .leave()
      .then(() => registration.deregister())
      .then(() => membership.close())
      .then(() => server.close());
  });
  say('ready')();
}
