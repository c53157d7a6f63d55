/** Values to places on a picture, and where to write numbers beside it. */
export interface Axis {
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** From 0 to the round number above the greatest value. `from` and `to` are places. */
export function linearAxis(greatest: number, from: number, to: number): Axis {
  const step = roundStep((greatest > 0 ? greatest : 1) / 5);
  const count = Math.max(1, Math.ceil(greatest / step - 1e-9));
  return {
    at: (value) => from + (value / (step * count)) * (to - from),
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12))),
  };
}

/** By powers: for values, all above 0, of which some are many times others. */
export function logAxis(least: number, greatest: number, from: number, to: number): Axis {
  const steps: number[] = [];
  // from one below: the logarithm of a number just under a power may be the power
  for (let power = Math.floor(Math.log10(least)) - 1; 10 ** power <= greatest * 10; power += 1) {
    for (const digit of [1, 2, 5]) steps.push(Number((digit * 10 ** power).toPrecision(12)));
  }
  const low = steps.findLast((step) => step <= least) ?? least;
  const high = steps.find((step) => step >= greatest && step > low) ?? greatest;
  const share = (value: number): number => Math.log(value / low) / Math.log(high / low);
  return {
    at: (value) => from + share(value) * (to - from),
    ticks: steps.filter((step) => step >= low && step <= high),
  };
}

function roundStep(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 5, 10].find((digit) => digit * power >= size * 0.999) ?? 10);
}

/** Places no closer to each other than `gap` and between `low` and `high`, as near as may be to those wanted; in their order. */
export function apart(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const places = [...wanted];
  let next = low;
  for (const index of order) {
    places[index] = Math.max(places[index] ?? 0, next);
    next = (places[index] ?? 0) + gap;
  }
  next = high;
  for (const index of order.reverse()) {
    places[index] = Math.min(places[index] ?? 0, next);
    next = (places[index] ?? 0) - gap;
  }
  return places;
}
