import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Member } from '@ringway/membership';
import { hmacSigner } from '@ringway/service';
import { WebSocketServer } from 'ws';
import { decodeBatch, encodeControl, type PeerRecord } from '../../src/peers/wire.ts';
import { clusterKeys } from './cluster.ts';
import { batch } from './dialler.ts';

/** A listener that answers a peer's dial as it likes. */
export async function impostor(
  greet: (nonce: string, member: Member) => string[],
  onRecord: (record: PeerRecord) => void = () => {},
): Promise<{ member: Member; dials: number; close(): Promise<void> }> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const member: Member = {
    id: 'node-2',
    incarnation: 'i2',
    publicUrl: 'ws://127.0.0.1:1',
    internalUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    weight: 1,
    ringFormat: 1,
    protocol: { min: 1, max: 1 },
  };
  const made = {
    member,
    dials: 0,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (ws) => {
      made.dials++;
      ws.on('error', () => {});
      ws.on('message', (data: Buffer) => {
        for (const record of decodeBatch(data).records) onRecord(record);
      });
      const nonce = String(request.headers['x-ringway-nonce']);
      for (const record of greet(nonce, member)) ws.send(batch(record));
    });
  });
  return made;
}

export function hello(nonce: string, nodeId: string, incarnation: string, keys = clusterKeys): string {
  const proof = hmacSigner(keys, 'ringway-peer').sign(`${nonce}\n${nodeId}\n${incarnation}`);
  return encodeControl({ t: 'hello', nodeId, incarnation, proof });
}
