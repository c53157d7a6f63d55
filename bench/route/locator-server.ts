import { createLocator, hs256Authenticate } from '@ringway/locator';
import { memoryMembership } from '@ringway/membership';
import { createLogger, KeyFamily } from '@ringway/service';
import { type ServerJob, tellUrl } from './jobs.ts';

const MEMBERS = 10;

async function serve(job: ServerJob): Promise<void> {
  const membership = memoryMembership();
  for (let i = 1; i <= MEMBERS; i++) {
    await membership.register({
      id: `node-${i}`,
      incarnation: `k3x9${i}`,
      publicUrl: `wss://node-${i}.ws.example.com`,
      internalUrl: `http://10.0.0.${i}:8081`,
      weight: 1,
      ringFormat: 1,
      protocol: { min: 1, max: 1 },
    });
  }
  const claims = { issuer: undefined, audience: undefined, userClaim: 'sub', capClaim: 'cap' };
  const locator = createLocator({
    membership,
    ticketKeys: KeyFamily.parse('RINGWAY_TICKET_KEYS', 't'.repeat(32)),
    clusterKeys: KeyFamily.parse('RINGWAY_CLUSTER_KEYS', 'c'.repeat(32)),
    authenticate: hs256Authenticate(KeyFamily.parse('RINGWAY_AUTH_KEYS', job.authKeys), claims),
    logger: createLogger({ name: 'locator', level: 'warn', pretty: false }),
    // the limit is kept, and looked at, but must not be what is measured
    routeLimit: { rate: 100_000, burst: 100_000 },
  });
  await locator.start();
  await locator.whenReady();
  tellUrl(locator.publicUrl);
}

process.once('message', (job: ServerJob) => void serve(job));
