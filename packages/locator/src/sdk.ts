import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Where a file of the SDK comes from: a path, or whoever builds it. Read once, when the locator starts. */
export type SdkSource = string | (() => Promise<Uint8Array> | Uint8Array);

/** The SDK for browsers: ES modules by the names under which they are served, `ringway.js`. */
export type SdkFiles = Readonly<Record<string, SdkSource>>;

/** A file of the SDK as it is served. */
export interface SdkFile {
  readonly name: string;
  readonly body: Buffer;
  /** Strong: a hash of the content. */
  readonly etag: string;
}

/** Reads the files. Rejects when one cannot be read: a locator that was told to serve it should not start without. */
export function loadSdk(files: SdkFiles): Promise<readonly SdkFile[]> {
  return Promise.all(Object.entries(files).map(([name, source]) => load(name, source)));
}

async function load(name: string, source: SdkSource): Promise<SdkFile> {
  const content = typeof source === 'string' ? await readFile(source) : await source();
  const body = Buffer.from(content);
  return { name, body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}
