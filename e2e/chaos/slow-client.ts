import { type Cluster, waitFor } from '@ringway/testkit';
import { WebSocket } from 'ws';

/** Bytes that it is sent and does not read: more than the sockets on the way hold, and than a node keeps for a client. */
const UNREAD_BYTES = 12 * 1024 * 1024;
const CHUNK = 'x'.repeat(48 * 1024);

/** A client that stops reading while it is spoken to: what waits for it must not become the node's burden. */
export async function slowClient(cluster: Cluster, forMs: number): Promise<void> {
  const user = `slow-${crypto.randomUUID().slice(0, 8)}`;
  const reader = await open(cluster, user);
  reader.pause();
  const speaker = await open(cluster, `${user}-s`);
  const until = performance.now() + forMs;
  const turns = Math.ceil(UNREAD_BYTES / CHUNK.length);
  for (let i = 0; i < turns && speaker.readyState === WebSocket.OPEN; i++) {
    speaker.send(JSON.stringify({ type: 'publish', to: `user:${user}`, data: CHUNK, id: `${user}.${i}` }));
    await pause(Math.max(12, forMs / (2 * turns)));
  }
  await pause(Math.max(0, until - performance.now()));
  reader.terminate();
  speaker.terminate();
}

async function open(cluster: Cluster, user: string): Promise<WebSocket> {
  // whichever locator answers: one of them may be down just now
  const { url } = await waitFor(
    () => Promise.any(cluster.locators.map((locator) => cluster.route(user, { locator }))),
    {
      message: 'a locator that answers',
      timeout: 20_000,
      interval: 200,
    },
  );
  const socket = new WebSocket(url, ['ringway.v1'], { perMessageDeflate: false });
  socket.on('error', () => {});
  await new Promise<void>((resolve) => {
    socket.once('message', () => resolve());
    socket.once('close', () => resolve());
  });
  return socket;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
