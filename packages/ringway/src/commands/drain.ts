import { setTimeout as delay } from 'node:timers/promises';
import { type DrainAnswer, HTTP, type RingDocumentMember } from '@ringway/protocol';
import { type KeyFamily, mintClusterToken, settingsHelp } from '@ringway/service';
import { backendNotes, readBackend } from '../backend-settings.ts';
import type { Arguments, Command, Terminal } from '../command.ts';
import { fetchFailure } from '../fetch-failure.ts';
import { internalLocator, internalUrl } from '../locator-option.ts';
import { membershipSettings } from '../membership-settings.ts';
import { ringFromLocator, ringFromRegistry } from '../ring-document.ts';

const LOOK_MS = 1_000;
const TIMEOUT_MS = 10_000;
/** So long beyond its grace a node may take to end its process. */
const END_MS = 15_000;

/** `ringway drain` */
export const drain: Command = {
  name: 'drain',
  positionals: ['NODE'],
  options: {
    locator: internalLocator,
    consul: { type: 'boolean', help: 'Ask Consul where it is instead, as RINGWAY_CONSUL_* say.' },
    cancel: { type: 'boolean', help: 'Take it back: the node serves again, unless it has ended.' },
  },
  notes: () => `${backendNotes()}\n${settingsHelp(membershipSettings)}`,
  async run(args, terminal) {
    const nodeId = args.positional(0);
    const member = await find(nodeId, args, terminal);
    if (member === undefined) return 1;
    const { cluster, keys } = readBackend(terminal.env);
    const node = new DrainingNode(member, cluster, keys);
    const cancel = args.flag('cancel');
    const first = await node.ask(cancel ? 'DELETE' : 'POST');
    if ('problem' in first) return fail(terminal, `${nodeId} at ${member.internalUrl}: ${first.problem}`);
    if (!cancel) return watch(node, first, terminal);
    if (first.state !== 'serving') {
      return fail(terminal, `${nodeId} goes on: ${first.state}, because of ${first.causes.join(' and ')}`);
    }
    terminal.out(`${nodeId} serves again, with ${first.left} sessions\n`);
    return 0;
  },
};

async function find(
  nodeId: string,
  args: Arguments,
  terminal: Terminal,
): Promise<RingDocumentMember | undefined> {
  const url = internalUrl(args, terminal);
  const document = args.flag('consul')
    ? await ringFromRegistry('drain', 'Consul', terminal)
    : await ringFromLocator('drain', url, terminal);
  if (document === undefined) return undefined;
  const member = document.members.find(({ id }) => id === nodeId);
  if (member === undefined) {
    const known = document.members.map(({ id }) => id).join(', ');
    fail(terminal, `there is no node ${nodeId}, only ${known || 'none at all'}`);
  }
  return member;
}

function fail(terminal: Terminal, text: string): number {
  terminal.err(`ringway drain: ${text}\n`);
  return 1;
}

/** Says each second how far it is, until the node is gone. */
async function watch(node: DrainingNode, first: DrainAnswer, terminal: Terminal): Promise<number> {
  const { nodeId } = first;
  const deadline = performance.now() + first.graceSeconds * 1_000 + END_MS;
  let last = first;
  tell(terminal, last);
  for (;;) {
    await delay(LOOK_MS);
    const answer = await node.ask('GET');
    if ('gone' in answer) {
      terminal.out(`${nodeId} has left, after ${last.seconds} s or little more\n`);
      return 0;
    }
    if ('problem' in answer) return fail(terminal, `${nodeId}: ${answer.problem}`);
    if (answer.state === 'serving') return fail(terminal, `${nodeId} serves again: the drain was cancelled`);
    last = answer;
    tell(terminal, last);
    if (performance.now() > deadline) return fail(terminal, `${nodeId} is still there, beyond its grace`);
  }
}

function tell(terminal: Terminal, { nodeId, state, moved, left, seconds, graceSeconds }: DrainAnswer): void {
  terminal.out(`${nodeId} ${state}: ${moved} moved, ${left} left, ${seconds} s of ${graceSeconds} s\n`);
}

type Answer = DrainAnswer | { readonly problem: string; readonly gone?: true };

/** The internal listener of one start of a node. */
class DrainingNode {
  readonly #member: RingDocumentMember;
  readonly #cluster: string;
  readonly #keys: KeyFamily;

  constructor(member: RingDocumentMember, cluster: string, keys: KeyFamily) {
    this.#member = member;
    this.#cluster = cluster;
    this.#keys = keys;
  }

  async ask(method: 'GET' | 'POST' | 'DELETE'): Promise<Answer> {
    const { id, internalUrl } = this.#member;
    const token = mintClusterToken(this.#keys, { iss: this.#cluster, sub: 'cli', aud: id, scope: 'admin' });
    let response: Response;
    try {
      response = await fetch(internalUrl + HTTP.drain, {
        method,
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      const problem = `it does not answer: ${fetchFailure(error)}`;
      return isTimeout(error) ? { problem } : { problem, gone: true };
    }
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as DrainAnswer) : { problem: `${response.status} ${text}` };
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}
