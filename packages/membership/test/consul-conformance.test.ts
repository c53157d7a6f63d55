import { type ConsulAgent, startDevConsul } from '@ringway/testkit';
import { afterAll, beforeAll } from 'vitest';
import { consulMembership, consulServiceId, serviceName } from '../src/index.ts';
import { membershipConformance } from './conformance.ts';
import { clusterSigner } from './support/members.ts';
import { HealthEndpoint } from './support/nodes.ts';

let agent: ConsulAgent;
let health: HealthEndpoint;
let clusters = 0;

beforeAll(async () => {
  health = await HealthEndpoint.open();
  agent = await startDevConsul();
});

afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await health[Symbol.asyncDispose]();
});

// A cluster of its own for each test, within one agent: what one cluster registers, the others must not see.
membershipConformance('consul', async () => {
  clusters += 1;
  const service = serviceName(`cluster-${clusters}`);
  const signer = clusterSigner();
  return {
    open: () => consulMembership({ address: agent.address, service, signer }),
    internalUrl: health.url,
    lose: async (id) => {
      await agent.json('PUT', `/v1/agent/service/deregister/${consulServiceId(service, id)}`);
    },
    [Symbol.asyncDispose]: async () => {},
  };
});
