import type { Place, PublishRecord, RunRecord } from '../record.ts';
import { Epochs } from './epochs.ts';
import type { CheckRules, Flaw } from './flaw.ts';
import { placeText, type Stay, viewOf } from './view.ts';

/** How long a message may be under way, in milliseconds, where two epochs can be compared by nothing but time. */
const IN_FLIGHT_MS = 1_000;

/** Every confirmed message once to every session that should have it, or told to be missing; and nothing else. */
export function checkDeliveries(run: RunRecord, rules: CheckRules): Flaw[] {
  const flaws: Flaw[] = [];
  const byId = new Map(run.publishes.map((publish) => [publish.id, publish]));
  const epochs = new Epochs(run.publishes);
  const byChannel = Map.groupBy(
    run.publishes.filter((publish) => publish.outcome === 'confirmed'),
    (publish) => publish.channel,
  );
  for (const session of run.sessions) {
    const { stays, outside } = viewOf(session);
    const seen = new Map<string, number>();
    for (const { channel, id, from } of [...outside, ...stays.flatMap(({ messages }) => messages)]) {
      const key = `${from} ${id}`;
      const times = (seen.get(key) ?? 0) + 1;
      seen.set(key, times);
      if (times === 2) flaws.push({ kind: 'doubled', text: `${session.name} got ${id} twice in ${channel}` });
      const publish = byId.get(id);
      if (publish?.channel !== channel || publish.from !== from) {
        flaws.push({
          kind: 'stray',
          text: `${session.name} got ${id} of ${from} in ${channel}: nobody sent that`,
        });
      }
    }
    for (const { channel, id } of outside) {
      flaws.push({ kind: 'stray', text: `${session.name} got ${id} in ${channel}, where it was not` });
    }
    for (const stay of stays) {
      if (rules.gaps === 'none') {
        for (const gap of stay.gaps) {
          const span = `${placeText(gap.after)} to ${placeText(gap.upTo)}`;
          flaws.push({
            kind: 'gap',
            text: `${session.name} was told of a gap in ${stay.channel}, ${span}, at ${ms(gap.at)}`,
          });
        }
      }
      for (const publish of byChannel.get(stay.channel) ?? []) {
        if (seen.has(`${publish.from} ${publish.id}`)) continue;
        if (!isDue(publish, stay) || (!publish.calm && isTold(publish, stay, epochs))) continue;
        flaws.push({
          kind: 'lost',
          text: `${session.name} never got ${describe(publish)}; ${around(publish, stay)}`,
        });
      }
    }
  }
  for (const publish of run.publishes) {
    if (publish.outcome === 'pending') flaws.push({ kind: 'unanswered', text: describe(publish) });
  }
  return flaws;
}

/** Whether a session that stayed so long should have got it. What cannot be decided is not due. */
function isDue({ position, sentAt, answeredAt = sentAt, calm }: PublishRecord, stay: Stay): boolean {
  if (answeredAt > stay.until) return false;
  if (calm) return true;
  // who left may not have caught up yet: due is what lies before something that it got
  if (Number.isFinite(stay.until) && !goesOnBehind(stay, position, answeredAt)) return false;
  const { from } = stay;
  if (position?.epoch === from.position.epoch) return position.seq > from.position.seq;
  return sentAt > from.at;
}

/** Whether a session got something that came later in the channel. */
function goesOnBehind(stay: Stay, place: Place | undefined, answeredAt: number): boolean {
  return stay.messages.some(({ position, at }) =>
    position?.epoch === place?.epoch
      ? position !== undefined && place !== undefined && position.seq > place.seq
      : at > answeredAt + IN_FLIGHT_MS,
  );
}

/** Whether a gap covers it. */
function isTold(publish: PublishRecord, stay: Stay, epochs: Epochs): boolean {
  const { position, sentAt, channel } = publish;
  return stay.gaps.some(({ after, upTo, at }) => {
    if (position === undefined) return false;
    const { epoch, seq } = position;
    if (epoch === after.epoch && epoch === upTo.epoch) return seq > after.seq && seq <= upTo.seq;
    if (epoch === after.epoch) return seq > after.seq;
    if (epoch === upTo.epoch) return seq <= upTo.seq;
    // of an epoch in between, which this session knows only by not having seen it
    if (after.epoch === upTo.epoch || sentAt > at) return false;
    if (stay.messages.some((message) => message.position?.epoch === epoch)) return false;
    return !epochs.precedes(channel, epoch, after.epoch) && !epochs.precedes(channel, upTo.epoch, epoch);
  });
}

function describe({ id, channel, position, sentAt, answeredAt, duplicate }: PublishRecord): string {
  const place = position ? ` at ${placeText(position)}${duplicate ? ' (a repeat)' : ''}` : '';
  const answered = answeredAt === undefined ? 'never answered' : `confirmed ${ms(answeredAt)}${place}`;
  return `${id} to ${channel}, sent ${ms(sentAt)}, ${answered}`;
}

/** What the session saw of the channel about then: where to look first. */
function around({ sentAt }: PublishRecord, stay: Stay): string {
  const before = stay.messages.findLast(({ at }) => at < sentAt);
  const next = stay.messages.find(({ at }) => at >= sentAt);
  const text = (message: typeof before): string =>
    message?.position ? `${placeText(message.position)} ${ms(message.at)}` : 'nothing';
  const gaps = stay.gaps.map((gap) => `${placeText(gap.after)}-${placeText(gap.upTo)} ${ms(gap.at)}`);
  return `before it ${text(before)}, then ${text(next)}, gaps: ${gaps.join(', ') || 'none'}`;
}

function ms(at: number): string {
  return `@${(at / 1000).toFixed(3)}`;
}
