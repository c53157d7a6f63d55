import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryLog } from '../src/log/memory.ts';
import { Tenures } from '../src/log/tenures.ts';
import { type Holder, Home } from '../src/router/home.ts';
import type { Outcome } from '../src/router/port.ts';
import { RecordedChannels } from './support/recorded-channels.ts';

const CHANNEL = 'group:g';

class RecordedHolder implements Holder {
  readonly nodeId = 'node-2';
  readonly open = true;
  readonly records: string[] = [];

  send(record: string): void {
    this.records.push(record);
  }
}

describe('interest that stands by at whoever is home next', () => {
  let home: Home;
  let holder: RecordedHolder;
  let said: number;

  beforeEach(() => {
    const now = (): number => performance.now();
    const epochs = new Tenures('i1');
    const bounds = { channelMessages: 10, totalBytes: 1_000_000, retentionMs: 60_000, channels: 10 };
    home = new Home(new MemoryLog({ ...bounds, epochs, now }), new RecordedChannels());
    holder = new RecordedHolder();
    said = 0;
  });

  function reached(): number {
    const outcomes: Outcome[] = [];
    const message = { from: '"user:a"', id: `"${++said}"`, data: '1', ephemeral: false };
    home.publish(CHANNEL, message, true, (outcome) => outcomes.push(outcome));
    const [outcome] = outcomes;
    return outcome?.kind === 'published' ? outcome.reached : Number.NaN;
  }

  it('is sent nothing before that, and all from then on', () => {
    home.standBy(holder, CHANNEL, 3, false);
    expect(reached()).toBe(0);
    home.takeOver((channel) => channel !== CHANNEL);
    expect(reached()).toBe(0);
    home.takeOver(() => true);
    expect(reached()).toBe(3);
    expect(holder.records).toHaveLength(1);
    // as any other interest it ends with this node's being home
    home.dropChannels(() => true);
    home.takeOver(() => true);
    expect(reached()).toBe(0);
  });

  it('counts at once where this node is home already', () => {
    home.standBy(holder, CHANNEL, 2, true);
    expect(reached()).toBe(2);
  });

  it('gives way to what its holder registers, and neither outlives the other', () => {
    home.standBy(holder, CHANNEL, 3, false);
    home.register(
      holder,
      CHANNEL,
      1,
      undefined,
      () => {},
      () => {},
      () => true,
    );
    home.takeOver(() => true);
    expect(reached()).toBe(1);
    home.standBy(holder, CHANNEL, 2, false);
    expect(reached()).toBe(2);
    home.standBy(holder, CHANNEL, 0, false);
    expect(reached()).toBe(0);
    home.standBy(holder, CHANNEL, 1, false);
    home.setSessions(holder, CHANNEL, 0);
    home.takeOver(() => true);
    expect(reached()).toBe(0);
  });

  it('falls with the link', () => {
    home.standBy(holder, CHANNEL, 3, false);
    home.dropHolder(holder);
    home.takeOver(() => true);
    expect(reached()).toBe(0);
  });
});
