import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import type { Member } from '@ringway/membership';
import { HTTP } from '@ringway/protocol';
import { every, type Logger } from '@ringway/service';

/** How the nodes of a cluster carry and keep messages: one way for all of them. */
export interface Scheme {
  readonly router: string;
  readonly log: string;
  /** Where it is kept whom backends have put into groups. Absent at nodes of a version that has none of it: they agree with both. */
  readonly groups?: string | undefined;
}

/** Another node of the cluster carries or keeps messages in another way: the two would not hear each other. */
export class MixedClusterError extends Error {
  override readonly name = 'MixedClusterError';
  readonly code = 'mixed_cluster';
}

export interface AccordOptions {
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly scheme: Scheme;
  /** PEM certificates by which peers' https is trusted. */
  readonly ca: string | undefined;
  readonly logger: Logger;
  /** A peer that started before this node does not agree with it. */
  readonly onDiscord: (error: MixedClusterError) => void;
}

const ANSWER_MS = 2_000;
const AGAIN_MS = 5_000;
const MOST_BYTES = 4_096;

/**
 * Sees to it that all nodes of a cluster have the same scheme: a node asks each member of the ring for its own, before it
 * registers (then it does not start) and again whenever somebody is new. Of two who disagree, the later start ends.
 * Members are asked, and not a key in Redis: a cluster on the ring may have none, and it is that one which a node with
 * another router must not join.
 */
export class Accord {
  private readonly options: AccordOptions;
  /** Starts of members that have the same scheme. */
  private agreed = new Set<string>();
  private members: readonly Member[] = [];
  private looking: Promise<void> | undefined;
  private stopLooking: () => void = () => {};

  constructor(options: AccordOptions) {
    this.options = options;
  }

  /** Before this node registers. @throws MixedClusterError */
  async join(members: readonly Member[]): Promise<void> {
    this.members = members;
    const [error] = await this.ask();
    if (error) throw error.error;
    this.stopLooking = every(AGAIN_MS, () => this.look());
  }

  /** Members of the ring have changed. */
  changed(members: readonly Member[]): void {
    this.members = members;
    const starts = new Set(members.map(startOf));
    this.agreed = new Set([...this.agreed].filter((start) => starts.has(start)));
    this.look();
  }

  stop(): void {
    this.stopLooking();
    this.members = [];
  }

  private look(): void {
    this.looking ??= this.ask().then((discords) => {
      this.looking = undefined;
      const before = discords.find(({ member }) => isLater(this.options.self, member));
      if (before) this.options.onDiscord(before.error);
    });
  }

  /** Asks those who have not agreed yet. Who does not answer is asked again. */
  private async ask(): Promise<readonly { member: Member; error: MixedClusterError }[]> {
    const { self } = this.options;
    const open = this.members.filter((member) => member.id !== self.id && !this.agreed.has(startOf(member)));
    const answers = await Promise.all(open.map((member) => this.discordWith(member)));
    return answers.filter((answer) => answer !== undefined);
  }

  private async discordWith(
    member: Member,
  ): Promise<{ member: Member; error: MixedClusterError } | undefined> {
    const { scheme, ca } = this.options;
    const told = await schemeOf(member, ca);
    if (!told) return undefined;
    const names = ['router', 'log', 'groups'] as const;
    if (names.every((name) => (told[name] ?? scheme[name]) === scheme[name])) {
      this.agreed.add(startOf(member));
      return undefined;
    }
    const text = ({ router, log, groups }: Scheme): string => {
      const redis = groups && `${groups === 'redis' ? 'a' : 'no'} RINGWAY_REDIS_URL`;
      const parts = [`RINGWAY_ROUTER=${router}`, `RINGWAY_LOG=${log}`, ...(redis ? [redis] : [])];
      return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
    };
    return {
      member,
      error: new MixedClusterError(
        `${member.id} runs with ${text(told)}, this node is set to ${text(scheme)}: all nodes of a cluster have the same. Set them alike, or stop the others first.`,
      ),
    };
  }
}

function startOf({ id, incarnation }: Member): string {
  return `${id} ${incarnation}`;
}

/** An incarnation begins with the second of the start, in base 36. */
function isLater(self: { readonly incarnation: string }, member: Member): boolean {
  const [own, other] = [self, member].map(({ incarnation }) => Number.parseInt(incarnation, 36) || 0);
  if (own !== other) return (own ?? 0) > (other ?? 0);
  return self.incarnation > member.incarnation;
}

/** What a member says of itself on its internal listener; undefined when this start of it does not say. */
function schemeOf({ internalUrl, incarnation }: Member, ca: string | undefined): Promise<Scheme | undefined> {
  const url = `${internalUrl.replace(/\/$/, '')}${HTTP.healthz}`;
  const { promise, resolve } = Promise.withResolvers<Scheme | undefined>();
  const options = { signal: AbortSignal.timeout(ANSWER_MS), agent: false as const };
  const request = url.startsWith('https:')
    ? getHttps(url, { ...options, ...(ca === undefined ? {} : { ca }) })
    : getHttp(url, options);
  request.on('error', () => resolve(undefined));
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('error', () => resolve(undefined));
    response.on('data', (some: string) => {
      text += some;
      if (text.length > MOST_BYTES) response.destroy(new Error('too long'));
    });
    response.on('end', () => resolve(schemeIn(text, incarnation)));
  });
  return promise;
}

function schemeIn(text: string, start: string): Scheme | undefined {
  try {
    const { router, log, groups, incarnation } = JSON.parse(text) as Record<string, unknown>;
    const said = typeof router === 'string' && typeof log === 'string' && incarnation === start;
    return said ? { router, log, groups: typeof groups === 'string' ? groups : undefined } : undefined;
  } catch {
    return undefined;
  }
}
