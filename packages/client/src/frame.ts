import type { ServerFrame } from '@ringway/protocol';

/** What a node sent; undefined when it is no JSON object, so that no node can have sent it. */
export function parseFrame(data: unknown): ServerFrame | undefined {
  try {
    const frame: unknown = JSON.parse(data as string);
    return typeof frame === 'object' ? (frame as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
