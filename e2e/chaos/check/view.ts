import type { Place, SessionRecord, Sight } from '../record.ts';

type Of<K extends Sight['kind']> = Extract<Sight, { kind: K }>;

/** One time that a session was in a channel: from `subscribed` to `left`, or to the end. */
export interface Stay {
  readonly channel: string;
  readonly from: Of<'subscribed'>;
  until: number;
  readonly messages: Of<'message'>[];
  readonly gaps: Of<'gap'>[];
}

/** Takes a session's record apart by channel. What came outside of any stay is in `outside`. */
export function viewOf(session: SessionRecord): {
  readonly stays: Stay[];
  readonly outside: Of<'message'>[];
} {
  const open = new Map<string, Stay>();
  const stays: Stay[] = [];
  const outside: Of<'message'>[] = [];
  for (const sight of session.sights) {
    if (sight.kind === 'state') continue;
    const { channel, at } = sight;
    const stay = open.get(channel);
    switch (sight.kind) {
      case 'subscribed': {
        const begun: Stay = { channel, from: sight, until: Number.POSITIVE_INFINITY, messages: [], gaps: [] };
        open.set(channel, begun);
        stays.push(begun);
        break;
      }
      case 'left':
        if (stay) stay.until = at;
        open.delete(channel);
        break;
      case 'message':
        if (stay) stay.messages.push(sight);
        else outside.push(sight);
        break;
      case 'gap':
        stay?.gaps.push(sight);
        break;
      default:
        sight satisfies never;
    }
  }
  return { stays, outside };
}

export function placeText({ epoch, seq }: Place): string {
  return `${epoch}:${seq}`;
}
