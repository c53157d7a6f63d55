import type { Member } from '@ringway/membership';
import type { Capabilities, TicketClaims } from '@ringway/protocol';
import type { RingVersion } from '@ringway/ring';
import { ticketAudience } from '@ringway/service';

// The JSON of a ticket's claims, by hand: half of what a /route costs beside its two signatures would else be making an
// object of the claims and looking through it again.

/** What differs from ticket to ticket. */
export interface TicketText {
  readonly sub: string;
  readonly exp: number;
  /** Of base64url's characters. */
  readonly jti: string;
  readonly sexp: number | undefined;
  readonly cap: Capabilities;
  /** What the caller avoided, when that is why it is sent elsewhere. */
  readonly avoid: readonly string[] | undefined;
}

const PLAIN = /^[\w .,:;/@*+-]*$/;

/** The JSON of a text. */
export function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function list(texts: readonly string[]): string {
  let json = '[';
  for (let i = 0; i < texts.length; i++)
    json += i === 0 ? quote(texts[i] as string) : `,${quote(texts[i] as string)}`;
  return `${json}]`;
}

/** The part that all tickets for a member on a ring have in common. */
export function ticketHead(issuer: string, member: Member, ring: RingVersion): string {
  const head: Pick<TicketClaims, 'iss' | 'aud' | 'ring'> = {
    iss: issuer,
    aud: ticketAudience(member.id, member.incarnation),
    ring: { index: ring.index, checksum: ring.checksum },
  };
  return JSON.stringify(head).slice(0, -1);
}

/** The whole, behind a {@link ticketHead}. */
export function ticketJson(head: string, { sub, exp, jti, sexp, cap, avoid }: TicketText): string {
  const right = sexp === undefined ? '' : `,"sexp":${sexp}`;
  const via = avoid === undefined ? '' : `,"via":"avoid","avoid":${list(avoid)}`;
  const may = `{"publish":${list(cap.publish)},"join":${list(cap.join)},"presence":${list(cap.presence)}}`;
  return `${head},"sub":${quote(sub)},"exp":${exp},"jti":"${jti}"${right},"cap":${may}${via}}`;
}
