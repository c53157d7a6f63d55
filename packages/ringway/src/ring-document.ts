import type { MemberEntry } from '@ringway/membership';
import { HTTP, type RingDocument } from '@ringway/protocol';
import { buildRing, RING_FORMAT } from '@ringway/ring';
import { mintClusterToken } from '@ringway/service';
import { readBackend, readOwnSettings } from './backend-settings.ts';
import type { Terminal } from './command.ts';
import { fetchFailure } from './fetch-failure.ts';
import { membershipFrom, membershipSettings } from './membership-settings.ts';

const CONSUL_TIMEOUT_MS = 10_000;

/** The ring as a locator has it; undefined when there is none to be had, which has been said then. */
export async function ringFromLocator(
  command: string,
  url: string,
  terminal: Terminal,
): Promise<RingDocument | undefined> {
  const { cluster, keys } = readBackend(terminal.env);
  const token = mintClusterToken(keys, { iss: cluster, sub: 'cli', aud: 'locator', scope: 'push' });
  try {
    const response = await fetch(url + HTTP.ring, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (response.ok) return (await response.json()) as RingDocument;
    terminal.err(`ringway ${command}: ${url} answers ${response.status}: ${await response.text()}\n`);
  } catch (error) {
    terminal.err(`ringway ${command}: ${url} does not answer: ${fetchFailure(error)}\n`);
  }
  return undefined;
}

/** The same from Consul, as `RINGWAY_CONSUL_*` say. */
export async function ringFromConsul(command: string, terminal: Terminal): Promise<RingDocument | undefined> {
  const { cluster, keys } = readBackend(terminal.env);
  const settings = readOwnSettings(membershipSettings, terminal.env);
  const say = (fields: object, message: string): void =>
    terminal.err(`${message} ${JSON.stringify(fields)}\n`);
  const membership = membershipFrom(settings, { cluster, keys, log: { info() {}, warn: say, error: say } });
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), CONSUL_TIMEOUT_MS);
  let members: readonly MemberEntry[] = [];
  let index = '0';
  const watch = membership.watch({
    snapshot: (snapshot) => {
      ({ index, members } = snapshot);
    },
  });
  try {
    const read = await Promise.race([watch.ready.then(() => true), timeout.promise]);
    if (read !== true) {
      terminal.err(
        `ringway ${command}: Consul at ${settings.consulUrl} gave no answer within ${CONSUL_TIMEOUT_MS / 1000} s\n`,
      );
      return undefined;
    }
    const up = members.filter(({ state, ringFormat }) => state === 'up' && ringFormat === RING_FORMAT);
    return { index, checksum: buildRing(up).version.checksum, format: RING_FORMAT, members };
  } finally {
    clearTimeout(timer);
    await membership.close();
  }
}
