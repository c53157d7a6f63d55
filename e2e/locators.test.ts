import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { locatorSource, RingwayPush } from '@ringway/push';
import { type ClusterProcess, waitFor } from '@ringway/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useStage } from './support/stage.ts';

const key = (name: string) => `${name}-${'x'.repeat(32)}`;
const TICKET_OLD = key('ticket-old');
const TICKET_NEW = key('ticket-new');
let folder = '';

const stage = useStage(async (made) => {
  folder = made;
  await writeFile(join(folder, 'ticket.keys'), TICKET_OLD);
  await writeFile(join(folder, 'settings.env'), 'RINGWAY_ORIGINS=https://one.example.com\n');
  const env = {
    RINGWAY_TICKET_KEYS: undefined,
    RINGWAY_TICKET_KEYS_FILE: join(folder, 'ticket.keys'),
    RINGWAY_SETTINGS_FILE: join(folder, 'settings.env'),
  };
  return { env };
});

const processes = () => [...stage().cluster.locators, ...stage().cluster.nodes];

/** SIGHUP to all, and waits until each of them has answered with the line. */
async function hangUp(says: RegExp): Promise<void> {
  const count = ({ output }: ClusterProcess) => output.match(new RegExp(says, 'g'))?.length ?? 0;
  await Promise.all(
    processes().map(async (each) => {
      const before = count(each);
      each.process.signal('SIGHUP');
      await waitFor(() => count(each) > before, { message: `${each.id} says ${says}` });
    }),
  );
}

async function writeTicketKeys(...keys: string[]): Promise<void> {
  await writeFile(join(folder, 'ticket.keys'), keys.join('\n'));
}

describe('a locator that is killed', () => {
  it('is missed by nobody: sessions go on, new ones come by the other, backends go on', async () => {
    const { cluster, ca } = stage();
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-2'));
    const push = new RingwayPush({
      source: locatorSource({ urls: cluster.locators.map(({ internalUrl }) => internalUrl) }),
      name: 'billing',
      cluster: cluster.name,
      clusterKeys: cluster.keys.cluster,
      tls: { ca: ca.ca },
    });
    onTestFinished(() => push.close());
    await push.ready();

    const [first, second] = cluster.locators;
    await first?.kill();
    await alice.tell(bob, 'without it');
    await bob.hears('without it');
    const carol = await stage().person(stage().userOn('node-3'));
    expect(carol.nodeId).toBe('node-3');
    await carol.tell(alice, 'by the other');
    await alice.hears('by the other');
    expect((await push.publish(`user:${carol.userId}`, 'from a backend')).reached).toBe(1);
    await carol.hears('from a backend');
    for (const person of [alice, bob, carol]) {
      expect(person.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
    }

    // with none at all those who are there still talk; who comes then waits, and is let in when one is back
    await second?.kill();
    await bob.tell(carol, 'without any');
    await carol.hears('without any');
    const dave = stage().person(stage().userOn('node-1'));
    await first?.start();
    await second?.start();
    expect((await dave).nodeId).toBe('node-1');
    await stage().settled();
  });
});

describe('SIGHUP', () => {
  it('changes the key of tickets without a moment of refusal', async () => {
    const { cluster } = stage();
    const kidOf = async () => {
      const { ticket, url } = await cluster.route(stage().userOn('node-1'));
      const { kid } = JSON.parse(Buffer.from(ticket.split('.')[0] ?? '', 'base64url').toString()) as {
        kid: string;
      };
      return { kid, url };
    };
    const old = await kidOf();
    const olds = [old, await kidOf()];
    // 1: known everywhere, 2: signs everywhere, 3: the old one goes
    await writeTicketKeys(TICKET_OLD, TICKET_NEW);
    await hangUp(/keys changed/);
    expect((await kidOf()).kid).toBe(old.kid);
    await writeTicketKeys(TICKET_NEW, TICKET_OLD);
    await hangUp(/keys changed/);
    const fresh = await kidOf();
    expect(fresh.kid).not.toBe(old.kid);
    await stage().socket(fresh.url).frame('welcome');
    await stage()
      .socket(olds[0]?.url ?? '')
      .frame('welcome');
    const alice = await stage().person(stage().userOn('node-2'));
    await writeTicketKeys(TICKET_NEW);
    await hangUp(/keys changed/);
    expect((await stage().socket(olds[1]?.url ?? '').closed).reason).toBe('invalid_ticket');
    const bob = await stage().person(stage().userOn('node-1'));
    await bob.tell(alice, 'nothing noticed');
    await alice.hears('nothing noticed');
    expect(alice.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
  });

  it('keeps everything as it was when the new settings are bad', async () => {
    const { cluster } = stage();
    await writeTicketKeys('too-short');
    await hangUp(/reload failed/);
    await stage().person(stage().userOn('node-2'));
    await writeTicketKeys(cluster.keys.cluster);
    await hangUp(/reload failed/);
    await stage().person(stage().userOn('node-3'));
    await writeTicketKeys(TICKET_NEW);
    await hangUp(/"reloaded"/);
  });

  it('takes over origins from the settings file', async () => {
    const { cluster } = stage();
    const origin = 'https://two.example.com';
    const user = stage().userOn('node-1');
    const open = async () => stage().socket((await cluster.route(user)).url, { origin });
    expect((await (await open()).closed).code).toBe(403);
    await stage().file('settings.env', `RINGWAY_ORIGINS=https://one.example.com,${origin}\n`);
    await hangUp(/"reloaded"/);
    await (await open()).frame('welcome');
    const answer = await cluster.locator.fetch('public', '/route', { headers: { origin } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
  });

  it('takes over renewed certificates, and sessions stay', async () => {
    const { cluster, ca } = stage();
    const alice = await stage().person(stage().userOn('node-1'));
    const renewed = await ca.issue('renewed');
    const [locator, node] = [cluster.locator, cluster.node('node-1')];
    for (const { env } of [locator, node]) {
      await copyFile(renewed.certFile, env['RINGWAY_PUBLIC_CERT'] ?? '');
      await copyFile(renewed.keyFile, env['RINGWAY_PUBLIC_KEY'] ?? '');
    }
    expect(await commonName(node)).not.toBe('renewed');
    await hangUp(/"reloaded"/);
    expect([await commonName(locator), await commonName(node)]).toEqual(['renewed', 'renewed']);
    expect(alice.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
  });
});

/** The name in the certificate that the public listener shows. */
async function commonName({ publicUrl }: ClusterProcess): Promise<string> {
  const { hostname, port } = new URL(publicUrl);
  const socket = connect({ host: hostname, port: Number(port), ca: stage().ca.ca });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
    });
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}
