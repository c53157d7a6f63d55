/** One entry of a stream. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly (readonly [Buffer, Buffer])[];
  /** It is pending, and no longer in the stream. */
  readonly gone: boolean;
}

/** The entries in an answer to XREADGROUP about one stream; of XAUTOCLAIM's the same part. */
export function entriesOf(reply: unknown): Entry[] {
  if (!Array.isArray(reply)) return [];
  const [stream] = reply as [unknown, [unknown, unknown]?][];
  const entries = (stream?.[1] ?? []) as ([Buffer, Buffer[] | null] | null)[];
  return entries.flatMap((entry) => {
    // Redis before 7 answers nil for a claimed entry that was trimmed: it cannot even be named
    if (entry === null) return [];
    const [id, flat] = entry;
    const fields: [Buffer, Buffer][] = [];
    for (let i = 0; flat !== null && i + 1 < flat.length; i += 2) {
      fields.push([flat[i] as Buffer, flat[i + 1] as Buffer]);
    }
    return [{ id: id.toString(), fields, gone: flat === null || flat.length === 0 }];
  });
}

/** What XINFO GROUPS says of one group. Its lag is unknown (0) after entries were deleted from the middle of the stream. */
export function groupInfo(reply: unknown, group: string): { readonly lag: number; readonly pending: number } {
  for (const row of reply as readonly (readonly unknown[])[]) {
    const info = new Map<string, unknown>();
    for (let i = 0; i + 1 < row.length; i += 2) info.set(String(row[i]), row[i + 1]);
    if (info.get('name') === group) {
      return { lag: Number(info.get('lag') ?? 0), pending: Number(info.get('pending') ?? 0) };
    }
  }
  throw new Error(`no consumer group ${group}`);
}
