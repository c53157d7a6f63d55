import { waitFor } from '@ringway/testkit';

/** `waitFor` with what is awaited first, as the tests here read. */
export async function eventually(
  message: string,
  condition: () => unknown,
  timeout: number = 10_000,
): Promise<void> {
  await waitFor(condition, { message, timeout });
}
