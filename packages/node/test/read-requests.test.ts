import type { Member } from '@ringway/membership';
import { buildRing, movedRanges } from '@ringway/ring';
import { expect, it } from 'vitest';
import { MemoryLog } from '../src/log/memory.ts';
import { Tenures } from '../src/log/tenures.ts';
import type { Inbound } from '../src/peers/inbound.ts';
import type { Place, Placement } from '../src/router/placement.ts';
import { ReadRequests } from '../src/router/read-requests.ts';
import { member } from './support/scripted-peers.ts';

const CHANNEL = 'group:g';

it('an epoch that has not ended here is not read as past, also by who comes from the one before it', () => {
  let now = 0;
  let place: Place = { kind: 'self' };
  const epochs = new Tenures('i1', () => 0);
  epochs.changed(
    movedRanges(buildRing<Member>([member('node-2')]), buildRing<Member>([member('node-1')])),
    'node-1',
  );
  const log = new MemoryLog({
    epochs,
    channelMessages: 10,
    totalBytes: 1_000_000,
    retentionMs: 60_000,
    channels: 10,
    now: () => now,
  });
  const append = (id: string) =>
    log.append(CHANNEL, { from: '"user:a"', id: `"${id}"`, data: '1', dedupe: true });
  append('1');
  const requests = new ReadRequests(log, { of: () => place } as unknown as Placement, 1_000, () => now);
  const sent: string[] = [];
  const from = { open: true, send: (record: string) => sent.push(record) } as unknown as Inbound;
  const since = { epoch: 'i2.0', seq: 5 };
  const ask = (): void =>
    requests.handle(from, {
      t: 'read',
      correlation: 1,
      channel: CHANNEL,
      since,
      limit: 10,
      past: true,
      closedBy: 'node-2',
    });
  ask();
  // what is still appended here the reader would never hear of: it would go on at the next home from where this log was
  expect(sent).toEqual([]);
  append('2');
  place = { kind: 'peer', member: member('node-3') };
  requests.review();
  expect(sent).toHaveLength(3);
  // one that does not see that it is the home no more is not waited for for ever
  sent.length = 0;
  place = { kind: 'self' };
  ask();
  now = 1_000;
  requests.review();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toContain('unavailable');
});
