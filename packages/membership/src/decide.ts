import { byId, type Member, type MemberEntry, type MemberState, memberEntry, sameEntry } from './member.ts';

/**
 * What to believe of a registry that can err. Pure: answers and time in, the members to show out. A departure is
 * decided by nothing but an answer that was read after every hold on it was over, or by the leaving node's own word:
 * the passing of time alone, a failed read, or an answer without authority never takes a member away.
 */
export interface Rules {
  /** How long a member must be critical before it is dropped. */
  readonly criticalHoldMs: number;
  /** How long members are kept when too many are lost at once. */
  readonly massLossHoldMs: number;
  /** More than this share of the ring (and more than one member) is too many. */
  readonly massLossShare: number;
  /** Losses this close together are "at once". */
  readonly massLossWindowMs: number;
}

/** One member as an answer shows it. */
export interface Seen {
  readonly member: Member;
  readonly state: MemberState;
}

/** One answer of the registry, proved and without duplicates. */
export interface Answer {
  readonly index: bigint;
  /** Whether the registry knew its leader and had heard from it lately. Without, it can only add. */
  readonly authoritative: boolean;
  /**
   * Whether contact was lost since the answer before. A registry that came back may have started over empty: who is
   * not in it may only not have registered again yet. A fallen index says the same.
   */
  readonly resumed: boolean;
  readonly members: ReadonlyMap<string, Seen>;
}

interface Doubt {
  readonly since: number;
  readonly incarnation: string;
  /**
   * Kept beyond its usual time as one of too many, or by a registry that may have forgotten it. It stays so for itself
   * alone: when the others come back one by one, the last must not be dropped for being the last.
   */
  readonly held: boolean;
}

interface Loss {
  readonly id: string;
  readonly at: number;
}

/** Everything that is remembered between two answers. Immutable. */
export interface View {
  /** Index of the answer that was believed last; undefined before the first. */
  readonly index: bigint | undefined;
  /** What is shown, by id. */
  readonly entries: ReadonlyMap<string, MemberEntry>;
  /** Members shown as `up` that the last answer did not show so, and nobody announced it. */
  readonly doubts: ReadonlyMap<string, Doubt>;
  /** Members dropped of late without a hold. */
  readonly losses: readonly Loss[];
  /** id -> incarnation that said itself, by another way, that it leaves. */
  readonly word: ReadonlyMap<string, string>;
  /** id -> incarnation that an answer showed as leaving. */
  readonly announced: ReadonlyMap<string, string>;
}

/** Before the first answer. */
export const NOTHING_SEEN: View = Object.freeze({
  index: undefined,
  entries: new Map(),
  doubts: new Map(),
  losses: [],
  word: new Map(),
  announced: new Map(),
});

/** What came of an answer or a word. */
export interface Decision {
  readonly view: View;
  /** Whether the entries differ from those before; true for the first answer, even an empty one. */
  readonly changed: boolean;
  /** When to read again, so that a hold that is over by then can be decided. */
  readonly rereadAt: number | undefined;
  /** Members kept only because too many were lost at once, or the registry may have forgotten them. */
  readonly held: readonly string[];
  /** Members kept only because the ring would be empty without them. */
  readonly kept: readonly string[];
}

/** Takes an answer that was received at `now` (monotonic milliseconds). */
export function takeAnswer(view: View, answer: Answer, now: number, rules: Rules): Decision {
  if (view.index === undefined) return takeFirst(view, answer);
  return answer.authoritative ? takeAuthoritative(view, answer, now, rules) : takeGrowth(view, answer);
}

/** Takes a node's own word, come by another way than the registry, that this start of it is leaving. */
export function takeWord(view: View, id: string, incarnation: string): Decision {
  const entry = view.entries.get(id);
  if (entry?.incarnation !== incarnation) return unchanged(view);
  const word = new Map(view.word).set(id, incarnation);
  const entries = new Map(view.entries).set(
    id,
    memberEntry(entry, entry.state === 'up' ? 'leaving' : entry.state),
  );
  const kept = keepSome(entries, view.entries);
  const doubts = new Map(view.doubts);
  doubts.delete(id);
  return decided(view, { ...view, word, entries, doubts }, { kept });
}

function takeFirst(view: View, answer: Answer): Decision {
  const entries = new Map<string, MemberEntry>();
  for (const [id, seen] of answer.members) entries.set(id, memberEntry(seen.member, seen.state));
  const announced = announcements(answer.members, entries, view.announced);
  return { ...decided(view, { ...view, index: answer.index, entries, announced }, {}), changed: true };
}

/** Without authority an answer may be from before what is known: it adds and renews, it takes nothing away. */
function takeGrowth(view: View, answer: Answer): Decision {
  if (view.index !== undefined && answer.index < view.index) return unchanged(view);
  const entries = new Map(view.entries);
  const doubts = new Map(view.doubts);
  for (const [id, seen] of answer.members) {
    if (stateOf(view, seen) === 'up') {
      entries.set(id, memberEntry(seen.member, 'up'));
      doubts.delete(id);
    } else if (!entries.has(id)) {
      entries.set(id, memberEntry(seen.member, seen.state));
    }
  }
  return decided(view, { ...view, index: answer.index, entries, doubts }, {});
}

function takeAuthoritative(before: View, answer: Answer, now: number, rules: Rules): Decision {
  const view = { ...before, word: wordsLeft(before, answer.members) };
  const entries = new Map<string, MemberEntry>();
  for (const [id, seen] of answer.members) entries.set(id, memberEntry(seen.member, stateOf(view, seen)));

  const startedOver = answer.resumed || (view.index !== undefined && answer.index < view.index);
  const { doubts, ringSize } = findDoubts(view, entries, now, startedOver);
  const losses = view.losses.filter(
    ({ id, at }) => now - at < rules.massLossWindowMs && entries.get(id)?.state !== 'up' && !doubts.has(id),
  );
  const lost = doubts.size + losses.length;
  const mass = lost > 1 && lost > rules.massLossShare * (ringSize + losses.length);

  const held: string[] = [];
  const dropped = new Map<string, Doubt>();
  let rereadAt: number | undefined;
  for (const [id, doubt] of doubts) {
    const seen = answer.members.get(id)?.member;
    const due = doubt.since + (seen === undefined ? 0 : rules.criticalHoldMs);
    const over = mass || doubt.held ? Math.max(due, doubt.since + rules.massLossHoldMs) : due;
    if (now >= over) {
      doubts.delete(id);
      dropped.set(id, doubt);
      // What was held is not counted again: the next single loss would be taken for a part of it.
      if (over === due) losses.push({ id, at: now });
      continue;
    }
    const known = seen ?? view.entries.get(id);
    if (known !== undefined) entries.set(id, memberEntry(known, 'up'));
    if (now >= due) {
      held.push(id);
      doubts.set(id, { ...doubt, held: true });
    }
    // At the end of the usual time too, so that a longer hold is told when it begins.
    const next = now < due ? due : over;
    rereadAt = Math.min(rereadAt ?? next, next);
  }

  const kept = keepSome(entries, view.entries);
  // Those that stay for want of others are still doubted, and go at once when there is another.
  for (const id of kept) {
    const doubt = dropped.get(id);
    if (doubt !== undefined) doubts.set(id, doubt);
  }
  const announced = announcements(answer.members, entries, view.announced);
  const gone = losses.filter(({ id }) => entries.get(id)?.state !== 'up');
  const next = { ...view, index: answer.index, entries, doubts, losses: gone, announced };
  return decided(before, next, { rereadAt, held, kept });
}

/** Members of the ring that are no longer shown as `up` though they never said so, and since when. */
function findDoubts(
  view: View,
  seen: ReadonlyMap<string, MemberEntry>,
  now: number,
  startedOver: boolean,
): { doubts: Map<string, Doubt>; ringSize: number } {
  const doubts = new Map<string, Doubt>();
  let ringSize = 0;
  for (const [id, shown] of view.entries) {
    if (shown.state !== 'up') continue;
    ringSize += 1;
    const entry = seen.get(id);
    if (entry?.state === 'up' || entry?.state === 'leaving') continue;
    // Gone after it had said so: that is no loss.
    if (entry === undefined && said(view, shown)) continue;
    // A new start of the node proves that it lived a moment ago: its own time begins.
    const incarnation = entry?.incarnation ?? shown.incarnation;
    const old = view.doubts.get(id);
    doubts.set(
      id,
      old?.incarnation === incarnation
        ? old
        : { since: now, incarnation, held: startedOver && entry === undefined },
    );
  }
  return { doubts, ringSize };
}

/** Whether a member that is shown has said itself that it leaves. */
export function hasSaid(view: View, id: string): boolean {
  const shown = view.entries.get(id);
  return shown !== undefined && said(view, shown);
}

function said(view: View, member: Member): boolean {
  return (
    view.word.get(member.id) === member.incarnation || view.announced.get(member.id) === member.incarnation
  );
}

function stateOf(view: View, seen: Seen): MemberState {
  const { id, incarnation } = seen.member;
  return view.word.get(id) === incarnation ? 'leaving' : seen.state;
}

/** A word holds until the node is gone, has started anew, or was shown as leaving and then as back. */
function wordsLeft(view: View, members: ReadonlyMap<string, Seen>): ReadonlyMap<string, string> {
  if (view.word.size === 0) return view.word;
  const word = new Map<string, string>();
  for (const [id, incarnation] of view.word) {
    const seen = members.get(id);
    const back = seen?.state === 'up' && view.announced.get(id) === incarnation;
    if (seen === undefined ? view.entries.has(id) : seen.member.incarnation === incarnation && !back) {
      word.set(id, incarnation);
    }
  }
  return word;
}

function announcements(
  members: ReadonlyMap<string, Seen>,
  entries: ReadonlyMap<string, MemberEntry>,
  before: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const announced = new Map<string, string>();
  for (const [id, entry] of entries) {
    const seen = members.get(id);
    if (seen?.state === 'leaving') announced.set(id, seen.member.incarnation);
    else if (seen?.state !== 'up' && before.get(id) === entry.incarnation)
      announced.set(id, entry.incarnation);
  }
  return announced;
}

/** Puts the former ring back when nobody would be left in it; gives the ids of it. */
function keepSome(
  entries: Map<string, MemberEntry>,
  before: ReadonlyMap<string, MemberEntry>,
): readonly string[] {
  for (const entry of entries.values()) if (entry.state === 'up') return [];
  const kept: string[] = [];
  for (const [id, shown] of before) {
    if (shown.state !== 'up') continue;
    entries.set(id, memberEntry(entries.get(id) ?? shown, 'up'));
    kept.push(id);
  }
  return kept;
}

function unchanged(view: View): Decision {
  return { view, changed: false, rereadAt: undefined, held: [], kept: [] };
}

function decided(
  before: View,
  after: View,
  rest: { rereadAt?: number | undefined; held?: readonly string[]; kept?: readonly string[] },
): Decision {
  const changed = !sameEntries(before.entries, after.entries);
  // Entries that say the same stay the same objects, so that whoever was shown them can compare by identity.
  const view = changed ? after : { ...after, entries: before.entries };
  return { view, changed, rereadAt: rest.rereadAt, held: rest.held ?? [], kept: rest.kept ?? [] };
}

function sameEntries(a: ReadonlyMap<string, MemberEntry>, b: ReadonlyMap<string, MemberEntry>): boolean {
  if (a.size !== b.size) return false;
  for (const [id, entry] of a) {
    const other = b.get(id);
    if (other === undefined || !sameEntry(entry, other)) return false;
  }
  return true;
}

/** The entries of a view in the order of a snapshot. */
export function entriesOf(view: View): readonly MemberEntry[] {
  return Object.freeze([...view.entries.values()].sort(byId));
}
