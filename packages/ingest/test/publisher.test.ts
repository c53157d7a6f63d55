import type { ErrorCode, PublishTarget, TargetResult } from '@ringway/protocol';
import {
  ForbiddenError,
  type PublishResult,
  RateLimitedError,
  UnauthenticatedError,
  UnavailableError,
} from '@ringway/push';
import { expect, it } from 'vitest';
import { Publisher, type PublishOutcome } from '../src/publisher.ts';

type Answer = Partial<PublishResult> | Error;

/** Publishes to what answers this, one after the other; tells the outcome, the targets asked, and the codes of retries. */
async function publish(to: PublishTarget, answers: Answer[], signal = new AbortController().signal) {
  const asked: PublishTarget[] = [];
  const retried: string[] = [];
  const publisher = new Publisher({
    push: {
      publish(target) {
        asked.push(target);
        const answer = answers.shift();
        if (answer === undefined) throw new Error('asked too often');
        return answer instanceof Error
          ? Promise.reject(answer)
          : Promise.resolve({ id: 'x', reached: 0, ...answer });
      },
    },
    random: () => 0,
    retrying: (code) => retried.push(code),
  });
  const outcome: PublishOutcome = await publisher.publish({ id: 'x', to, channels: [], data: '1' }, signal);
  return { outcome, asked, retried };
}

function failed(to: string, code: ErrorCode): TargetResult {
  return { to, error: { code, message: `because of ${code}` } };
}

it('tries again until it is taken, and tells why', async () => {
  const answers = [new UnavailableError('no'), new RateLimitedError('no', { retryAfterMs: 1 }), {}];
  expect(await publish('user:a', answers)).toMatchObject({
    outcome: { kind: 'published' },
    retried: ['unavailable', 'rate_limited'],
  });
});

it('knows what was there before', async () => {
  expect(await publish('user:a', [new UnavailableError('no'), { duplicate: true }])).toMatchObject({
    outcome: { kind: 'duplicate' },
  });
});

it('gives up on what is refused for good', async () => {
  expect(await publish('user:a', [new ForbiddenError('no')])).toMatchObject({
    outcome: { kind: 'refused', reason: 'forbidden', detail: 'no' },
  });
});

it('does not blame the message for a token that is refused', async () => {
  expect(await publish('user:a', [new UnauthenticatedError('no'), {}])).toMatchObject({
    outcome: { kind: 'published' },
    retried: ['unauthenticated'],
  });
});

it('tries again for the users of a list that can still get it, and tells of those that never will', async () => {
  const answers = [
    { results: [{ to: 'a' }, failed('b', 'unavailable'), failed('c', 'forbidden'), failed('d', 'unknown')] },
    { results: [{ to: 'b' }, failed('d', 'unavailable')] },
    { results: [{ to: 'd', duplicate: true }] },
  ];
  expect(await publish({ users: ['a', 'b', 'c', 'd'] }, answers)).toEqual({
    outcome: {
      kind: 'refused',
      reason: 'forbidden',
      detail: 'refused for 1 of 4 users, the first c: because of forbidden',
    },
    asked: [{ users: ['a', 'b', 'c', 'd'] }, { users: ['b', 'd'] }, { users: ['d'] }],
    retried: ['unavailable', 'unavailable'],
  });
});

it('is abandoned when the process stops', async () => {
  const signal = AbortSignal.abort();
  expect(await publish('user:a', [], signal)).toMatchObject({ outcome: { kind: 'abandoned' }, asked: [] });
});
