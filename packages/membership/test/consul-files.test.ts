import { execFile } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { consulBinary, consulFile, freePort, startDevConsul } from '@ringway/testkit';
import { describe, expect, test } from 'vitest';
import { resolveConsulOptions } from '../src/consul/consul-options.ts';
import { serviceDefinition } from '../src/consul/registration.ts';
import { canonicalMember, consulMembership, RegistryError } from '../src/index.ts';
import { eventually } from './support/eventually.ts';
import { clusterSigner, member } from './support/members.ts';
import { LocalNode, Observed } from './support/nodes.ts';

const run = promisify(execFile);

/** The key and the member of the example in consul/service.json. */
const EXAMPLE_KEY = 'example-only-cluster-key-of-32-bytes';
const EXAMPLE = member('node-1', {
  incarnation: 'boot-1',
  publicUrl: 'wss://node-1.example.com/ws',
  internalUrl: 'http://10.0.0.11:9101',
});

describe.concurrent('the files under consul/', { timeout: 30_000 }, () => {
  test('service.json registers a node by file, as the adapter would, its signature made as docs/consul.md says', async () => {
    const { service } = JSON.parse(await readFile(consulFile('service.json'), 'utf8'));
    const signer = clusterSigner(EXAMPLE_KEY);
    const resolved = resolveConsulOptions({ address: 'http://127.0.0.1:8500', signer });
    const made = serviceDefinition(EXAMPLE, resolved, 'passing');
    const { check, ...rest } = service;
    const { check: madeCheck, ...madeRest } = made;
    expect(rest).toEqual(madeRest);
    expect(check).toEqual({
      name: madeCheck.name,
      http: madeCheck.http,
      interval: madeCheck.interval,
      timeout: madeCheck.timeout,
      deregister_critical_service_after: madeCheck.deregistercriticalserviceafter,
    });
    // By hand, as the page tells other tools to.
    const kid = createHash('sha256').update(EXAMPLE_KEY).digest('hex').slice(0, 8);
    const text = `ringway-member\n${canonicalMember('ringway-node', EXAMPLE)}`;
    expect(service.meta.sig).toBe(
      `${kid}.${createHmac('sha256', EXAMPLE_KEY).update(text).digest('base64url')}`,
    );

    await using agent = await startDevConsul();
    await using seen = await Observed.start(agent.address, { signer });
    await run(consulBinary(), [
      'services',
      'register',
      `-http-addr=${agent.address}`,
      consulFile('service.json'),
    ]);
    await eventually('the node is listed', () => seen.listed === 'node-1:critical');
    expect(seen.rejected).toEqual([]);
    await using loaded = await startDevConsul({ files: ['service.json'] });
    await using other = await Observed.start(loaded.address, { signer });
    await eventually('the node is listed', () => other.listed === 'node-1:critical');
  });

  test('tls.json: the adapter reaches an agent over https, with its CA alone', async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'ringway-tls-'));
    try {
      await run(consulBinary(), ['tls', 'ca', 'create'], { cwd });
      await run(consulBinary(), ['tls', 'cert', 'create', '-server'], { cwd });
      const port = await freePort();
      await using agent = await startDevConsul({
        files: ['tls.json'],
        cwd,
        args: ['-https-port', `${port}`],
      });
      expect(agent.process.running).toBe(true);
      const address = `https://127.0.0.1:${port}`;
      const tls = { ca: await readFile(join(cwd, 'consul-agent-ca.pem'), 'utf8') };
      await using node = await LocalNode.start(address, 'a', { tls });
      await using seen = await Observed.start(address, { tls });
      await eventually('the node is seen', () => seen.ring === 'a');
      await node.registration.leave();
      await node.registration.deregister();
      await using stranger = new Observed(address);
      const watch = consulMembership({ address, signer: clusterSigner() }).watch({ snapshot() {} });
      await expect(watch.reread()).rejects.toThrow(RegistryError);
      await watch.close();
      expect(stranger.watcher.snapshot).toBeUndefined();
    } finally {
      await rm(cwd, { recursive: true, force: true });
    }
  });

  test('acl.json and the policies: a node registers and watches, a locator only watches, others do neither', async () => {
    await using agent = await startDevConsul({ files: ['acl.json'] });
    const management = await agent.bootstrapAcl();
    const nodeToken = await agent.createToken(management, await agent.createPolicy(management, 'node.hcl'));
    const locatorToken = await agent.createToken(
      management,
      await agent.createPolicy(management, 'locator.hcl'),
    );
    await using locator = await Observed.start(agent.address, { token: locatorToken.secret });
    expect(locator.listed).toBe('');
    await using node = await LocalNode.start(agent.address, 'a', { token: nodeToken.secret });
    await eventually('the locator sees the node', () => locator.ring === 'a');
    await using second = await Observed.start(agent.address, { token: nodeToken.secret });
    await eventually('the node is seen', () => second.ring === 'a');
    await node.registration.leave();
    await node.registration.rejoin();
    await expect(LocalNode.start(agent.address, 'b', { token: locatorToken.secret })).rejects.toMatchObject({
      code: 'registry_error',
      status: 403,
    });
    // A foreign cluster's service is out of a node's reach too.
    await expect(
      LocalNode.start(agent.address, 'b', { token: nodeToken.secret, service: 'staging-node' }),
    ).rejects.toMatchObject({ status: 403 });
    await using anonymous = new Observed(agent.address);
    void anonymous.watcher.start().catch(() => {});
    await eventually('the anonymous is told', () => anonymous.watcher.stale === 'unauthorised');
    expect(anonymous.watcher.snapshot).toBeUndefined();
  });
});
