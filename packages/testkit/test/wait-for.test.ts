import { describe, expect, it } from 'vitest';
import { WaitTimeoutError, waitFor } from '../src/wait-for.ts';

describe('waitFor', () => {
  it('resolves with the first truthy value', async () => {
    let looks = 0;
    const value = await waitFor(() => (++looks === 3 ? { looks } : undefined), {
      message: 'the third look',
      interval: 1,
    });
    expect(value).toEqual({ looks: 3 });
  });

  it('takes an error for not yet', async () => {
    let looks = 0;
    const look = async (): Promise<string> => {
      looks += 1;
      if (looks < 3) throw new Error('not there');
      return 'there';
    };
    await expect(waitFor(look, { message: 'it', interval: 1 })).resolves.toBe('there');
  });

  it('tells what was awaited, what was seen last, and why', async () => {
    const seen = waitFor(() => 0, { message: 'one session', timeout: 30, interval: 1 });
    await expect(seen).rejects.toThrow('waited 30 ms in vain for: one session (last seen: 0)');
    const cause = new TypeError('no such host');
    const failed = waitFor(() => Promise.reject(cause), { message: 'an answer', timeout: 30, interval: 1 });
    await expect(failed).rejects.toMatchObject({ code: 'wait_timeout', cause });
    await expect(failed).rejects.toThrow('TypeError: no such host');
  });

  it('is bounded even when a look never ends', async () => {
    const never = waitFor(() => new Promise<boolean>(() => {}), { message: 'ever', timeout: 30 });
    await expect(never).rejects.toBeInstanceOf(WaitTimeoutError);
  });
});
