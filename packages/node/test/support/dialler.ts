import type { IncomingMessage } from 'node:http';
import { mintClusterToken } from '@ringway/service';
import { WebSocket } from 'ws';
import type { Node } from '../../src/index.ts';
import { batchHeader, type Control, decodeBatch, KIND, type PeerRecord } from '../../src/peers/wire.ts';
import { clusterKeys } from './cluster.ts';

export const NONCE = 'nonce-nonce-nonce-0001';

export function batch(...records: string[]): Buffer {
  return batchOf('checksum', ...records);
}

/** The same from somebody who sees the ring of this checksum. */
export function batchOf(checksum: string, ...records: string[]): Buffer {
  return Buffer.from(batchHeader(checksum) + records.join(''), 'latin1');
}

/** Who dials a node as a peer does. */
export class Dialler {
  readonly socket: WebSocket;
  readonly records: PeerRecord[] = [];
  /** 101, or the status of the refusal. */
  readonly answered: Promise<number>;
  readonly closed: Promise<unknown>;

  constructor(node: Node, headers: Record<string, string>) {
    this.socket = new WebSocket(`${node.addresses.internalUrl.replace('http', 'ws')}/peer`, { headers });
    this.answered = new Promise((resolve) => {
      this.socket.on('upgrade', () => resolve(101));
      this.socket.on('unexpected-response', (request, response: IncomingMessage) => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      });
    });
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer) => this.records.push(...decodeBatch(data).records));
  }

  control<T extends Control['t']>(t: T): Extract<Control, { t: T }>[] {
    return this.records.flatMap((record) =>
      record.kind === KIND.control && record.control.t === t
        ? [record.control as Extract<Control, { t: T }>]
        : [],
    );
  }
}

export function peerHeaders(node: Node, sub: string): Record<string, string> {
  const token = mintClusterToken(clusterKeys, { iss: 'ringway', sub, aud: node.id, scope: 'peer' });
  return { authorization: `Bearer ${token}`, 'x-ringway-nonce': NONCE };
}
