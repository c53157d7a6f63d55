import { CHANNEL_ALL, type Position } from '@ringway/protocol';
import type { Router } from '../router/port.ts';
import { joinedFrame } from '../session/frames.ts';
import type { Session } from '../session/session.ts';
import type { Hub } from './hub.ts';
import type { LocalChannel } from './local-channel.ts';

export interface EveryoneOptions {
  readonly hub: Pick<Hub, 'hold' | 'release'>;
  readonly router: Pick<Router, 'resubscribe'>;
  /** Every session of this node. */
  readonly sessions: () => Iterable<Session>;
}

/**
 * The channel `all` on this node. The node holds it for as long as it runs, whoever is here, and puts each welcomed
 * session into it unasked. Nothing else waits for it: a node that cannot reach its home serves all the rest.
 */
export class Everyone {
  private readonly options: EveryoneOptions;
  private held: LocalChannel | undefined;
  private asking = false;
  private over = false;
  /** The `joined` frame of a position: thousands may connect between two messages. */
  private greeting: { readonly position: Position; readonly text: string } | undefined;

  constructor(options: EveryoneOptions) {
    this.options = options;
  }

  /** The channel, once its home has accepted. */
  get channel(): LocalChannel | undefined {
    return this.held;
  }

  /**
   * To be called every second: asks the home anew where it could not be asked, and says how many sessions there are, which
   * changes with every connect and is worth no record each time.
   */
  tick(): void {
    if (this.over) return;
    if (this.held) this.options.router.resubscribe(CHANNEL_ALL, this.held.size);
    else this.hold();
  }

  /** The session was welcomed. */
  enter(session: Session): void {
    const position = this.held?.position;
    if (!this.held || !position) return;
    this.held.add(session);
    if (this.greeting?.position !== position) {
      this.greeting = { position, text: joinedFrame(CHANNEL_ALL, position) };
    }
    session.send(this.greeting.text);
  }

  /** The session has ended. */
  exit(session: Session): void {
    this.held?.remove(session);
  }

  /** The node leaves and has no sessions any more: it is not to wait for a home that it cannot reach. */
  leave(): void {
    this.over = true;
    this.held = undefined;
    this.options.hub.release(CHANNEL_ALL);
  }

  private hold(): void {
    if (this.asking) return;
    this.asking = true;
    this.options.hub.hold(CHANNEL_ALL, {
      joined: (channel) => {
        this.asking = false;
        this.held = channel;
        for (const session of this.options.sessions()) if (session.state === 'open') this.enter(session);
      },
      failed: () => {
        this.asking = false;
      },
    });
  }
}
