import type { ServerResponse } from 'node:http';
import type { StreamedState } from '@ringway/protocol';
import type { Following, PresenceListener } from '../router/presence/port.ts';

/** So much may wait in the socket before the snapshot goes on. */
const PAGE_BYTES = 64 * 1024;
/** A reader that lags by more is not waited for. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const HEARTBEAT_MS = 15_000;

/**
 * Server-sent events to one reader: `state` for each user that is online (`"snapshot": true`), then `synced`, then `state` for
 * whoever comes or goes, those too that do so while the snapshot is under way.
 *
 * @param follow undefined where no more may follow; nothing is written then, and the answer is false.
 */
export function streamPresence(
  response: ServerResponse,
  nodeId: string,
  follow: (listener: PresenceListener) => Following | undefined,
): boolean {
  const following = follow({
    changed: (state) => {
      write(event('state', state));
      if (response.writableLength <= MAX_WAITING_BYTES) return;
      following?.close('slow');
      response.destroy();
    },
    ended: () => void response.end(),
  });
  if (!following) return false;
  const write = (text: string): void => {
    if (!response.writableEnded && !response.destroyed) response.write(text);
  };
  const heartbeat = setInterval(() => write(':\n\n'), HEARTBEAT_MS).unref();
  response.on('close', () => {
    clearInterval(heartbeat);
    following.close('left');
  });
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  const snapshot = following.snapshot()[Symbol.iterator]();
  const go = (): void => {
    while (!response.destroyed && response.writableLength < PAGE_BYTES) {
      const next = snapshot.next();
      if (next.done) return write(event('synced', { nodeId }));
      write(event('state', { ...next.value, snapshot: true }));
    }
    response.once('drain', go);
  };
  go();
  return true;
}

function event(name: 'state' | 'synced', data: StreamedState | { readonly nodeId: string }): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
