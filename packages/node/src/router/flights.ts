/**
 * Which node a channel's unanswered publications are at. Those of one node to one channel are in flight to one other
 * node at a time, so that a change of home cannot let a newer one overtake an older (rule 6).
 */
export class Flights {
  private readonly flights = new Map<string, { target: string; count: number }>();

  /** Whether a publication may be sent to this node now. */
  mayGo(channel: string, target: string): boolean {
    if (this.flights.size === 0) return true;
    const flight = this.flights.get(channel);
    return flight === undefined || flight.target === target;
  }

  /** Whether any of the channel's are under way. */
  has(channel: string): boolean {
    return this.flights.has(channel);
  }

  departed(channel: string, target: string): void {
    const flight = this.flights.get(channel);
    if (flight) flight.count++;
    else this.flights.set(channel, { target, count: 1 });
  }

  /** Returns whether it was the last: another node may be sent to now. */
  landed(channel: string): boolean {
    const flight = this.flights.get(channel);
    if (!flight || --flight.count > 0) return false;
    this.flights.delete(channel);
    return true;
  }
}
