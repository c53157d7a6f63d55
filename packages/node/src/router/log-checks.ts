import type { Home } from './home.ts';
import type { Placement } from './placement.ts';
import type { LocalChannels } from './port.ts';

/** Channels that are compared with the log in one round. */
const A_ROUND = 200;

/** Compares, a few in each round, the channels of this node's home with a log that others can write to as well. */
export class LogChecks {
  private readonly home: Home;
  private readonly placement: Placement;
  private readonly local: LocalChannels;
  private left: Iterator<string> | undefined;

  constructor(home: Home, placement: Placement, local: LocalChannels) {
    this.home = home;
    this.placement = placement;
    this.local = local;
  }

  round(): void {
    for (let count = A_ROUND; count > 0; count--) {
      this.left ??= this.homeChannels();
      const next = this.left.next();
      if (next.done) {
        this.left = undefined;
        return;
      }
      this.home.verify(next.value);
    }
  }

  /** Channels that this node is home of and that have subscribers. */
  private *homeChannels(): Generator<string> {
    const { placement, local, home } = this;
    for (const { channel, point } of local.held()) if (placement.at(point).kind === 'self') yield channel;
    for (const channel of home.channels()) if (placement.of(channel).kind === 'self') yield channel;
  }
}
