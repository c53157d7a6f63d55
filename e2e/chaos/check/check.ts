import type { RunRecord } from '../record.ts';
import { checkDeliveries } from './deliveries.ts';
import type { CheckRules, Flaw } from './flaw.ts';
import { checkOrder } from './order.ts';

/**
 * Judges a run by its records alone; pure. It shares no code with what it judges: positions, order and gaps are worked
 * out here anew, from what docs/protocol.md promises.
 */
export function checkRun(run: RunRecord, rules: CheckRules): Flaw[] {
  return [...checkDeliveries(run, rules), ...checkOrder(run), ...checkCalm(run, rules)];
}

/** How things stood when nothing was disturbed any more. */
function checkCalm(run: RunRecord, rules: CheckRules): Flaw[] {
  const flaws: Flaw[] = [];
  for (const { session, state, node, home, avoiding } of run.standings) {
    if (state !== 'connected') flaws.push({ kind: 'unconnected', text: `${session} is ${state}` });
    else if (rules.homes && node !== home && !avoiding) {
      flaws.push({ kind: 'wrong-node', text: `${session} is on ${node}, its home is ${home}` });
    }
  }
  for (const { process, what, before, after, allowance } of run.holdings) {
    if (after > before + allowance) {
      const text = `${process} has ${after} ${what}, it had ${before}; ${allowance} more are allowed`;
      flaws.push({ kind: 'growth', text });
    }
  }
  return flaws;
}
