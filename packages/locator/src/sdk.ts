import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Where the SDK's bundle comes from: a file, or whoever builds it. Read once, when the locator starts. */
export type SdkSource = string | (() => Promise<Uint8Array> | Uint8Array);

/** The SDK's bundle as it is served. */
export interface SdkBundle {
  readonly body: Buffer;
  /** Strong: a hash of the content. */
  readonly etag: string;
}

/** Reads the bundle. Rejects when it cannot be read: a locator that was told to serve it should not start without. */
export async function loadSdk(source: SdkSource): Promise<SdkBundle> {
  const content = typeof source === 'string' ? await readFile(source) : await source();
  const body = Buffer.from(content);
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}
