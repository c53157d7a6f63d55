import type { Member } from '@ringway/membership';
import { type RouteAnswer, socketUrlHead } from '@ringway/protocol';
import type { RingVersion } from '@ringway/ring';
import { quote } from './ticket-text.ts';

/** Where a caller is sent, before it is written down. */
export interface Routed {
  readonly userId: string;
  readonly member: Member;
  readonly ticket: string;
  /** Expiry of the ticket in seconds since the epoch. */
  readonly exp: number;
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
  readonly ring: RingVersion;
}

/** The answer as an object. */
export function routeAnswer({ userId, member, ticket, exp, at, ring }: Routed): RouteAnswer {
  const expiresAt = exp * 1000;
  const url = socketUrlHead(member.publicUrl) + ticket;
  return { userId, nodeId: member.id, url, ticket, expiresAt, expiresIn: expiresAt - at, ring };
}

interface MemberText {
  readonly id: string;
  /** JSON of the URL up to the ticket, without the closing quote. */
  readonly url: string;
}

const texts = new WeakMap<Member, MemberText>();

function textOf(member: Member): MemberText {
  const known = texts.get(member);
  if (known) return known;
  const text = {
    id: JSON.stringify(member.id),
    url: JSON.stringify(socketUrlHead(member.publicUrl)).slice(0, -1),
  };
  texts.set(member, text);
  return text;
}

/**
 * The JSON of {@link routeAnswer}. By hand, since a serialiser made from the schema looks through the ticket twice for
 * what to escape, and first has to put it behind the URL; a ticket has nothing to escape.
 */
export function routeAnswerJson({ userId, member, ticket, exp, at, ring }: Routed): string {
  const { id, url } = textOf(member);
  const expiresAt = exp * 1000;
  return `{"userId":${quote(userId)},"nodeId":${id},"url":${url}${ticket}","ticket":"${ticket}","expiresAt":${expiresAt},"expiresIn":${expiresAt - at},"ring":{"index":"${ring.index}","checksum":"${ring.checksum}"}}`;
}
