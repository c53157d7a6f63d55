import type { Outbound } from '../../peers/outbound.ts';
import type { Peers } from '../../peers/peers.ts';
import type { Placement } from '../placement.ts';

/** What {@link Inquiry} needs to know at construction. */
export interface InquiryOptions {
  readonly placement: Placement;
  readonly peers: Peers;
  readonly now: () => number;
  /** How long homes may take in all, in milliseconds. */
  readonly patienceMs: number;
}

/** How one kind of thing is asked for. */
export interface Asking<A> {
  /** The answer of this node, which is home of the channel. */
  here(channel: string, done: (answer: A) => void): void;
  /** Asks a peer: one answer for each channel, undefined where it has none, or in place of all. */
  there(
    link: Outbound,
    channels: readonly string[],
    deadline: number,
    done: (answers: readonly (A | undefined)[] | undefined) => void,
  ): void;
}

/** Asks the homes of channels, again where they change meanwhile, until each has answered or the time is up. */
export class Inquiry {
  private readonly options: InquiryOptions;
  /** Rounds that wait for somebody to be home. */
  private again: (() => void)[] = [];
  private stopped = false;

  constructor(options: InquiryOptions) {
    this.options = options;
  }

  /** `done` gets one answer for each channel, in order; undefined for those whose home did not answer. */
  ask<A>(
    channels: readonly string[],
    asking: Asking<A>,
    done: (answers: readonly (A | undefined)[]) => void,
  ): void {
    const deadline = this.options.now() + this.options.patienceMs;
    const answers = new Array<A | undefined>(channels.length).fill(undefined);
    const round = (indexes: Iterable<number>): void => {
      const left: number[] = [];
      let open = 1;
      const settle = (index: number, answer: A | undefined): void => {
        if (answer === undefined) left.push(index);
        else answers[index] = answer;
      };
      const settled = (): void => {
        if (--open > 0) return;
        if (left.length === 0 || this.stopped || this.options.now() >= deadline) done(answers);
        else this.again.push(() => round(left));
      };
      for (const [link, asked] of this.byHome(channels, indexes)) {
        if (link === undefined) for (const index of asked) settle(index, undefined);
        else if (link === 'self')
          for (const index of asked) {
            open++;
            asking.here(channels[index] as string, (answer) => {
              settle(index, answer);
              settled();
            });
          }
        else {
          open++;
          const names = asked.map((index) => channels[index] as string);
          asking.there(link, names, deadline, (told) => {
            for (const [i, index] of asked.entries()) settle(index, told?.[i]);
            settled();
          });
        }
      }
      settled();
    };
    round(channels.keys());
  }

  /** To be called again and again. */
  sweep(): void {
    const { again } = this;
    this.again = [];
    for (const round of again) round();
  }

  /** Nobody answers any more: what is open is done with what there is. */
  stop(): void {
    this.stopped = true;
    this.sweep();
  }

  private byHome(
    channels: readonly string[],
    indexes: Iterable<number>,
  ): Map<Outbound | 'self' | undefined, number[]> {
    const { placement, peers } = this.options;
    const homes = new Map<Outbound | 'self' | undefined, number[]>();
    for (const index of indexes) {
      const place = placement.of(channels[index] as string);
      const link = place.kind === 'peer' ? peers.reach(place.member.id) : undefined;
      const home = place.kind === 'self' ? 'self' : link?.open ? link : undefined;
      const list = homes.get(home);
      if (list) list.push(index);
      else homes.set(home, [index]);
    }
    return homes;
  }
}
