import type { SpeechName } from '../peers/peer.ts';

/** How clients of one peer speak: what frames they send, and what those they get mean. */
export interface Speech {
  /** Subprotocol to ask for. */
  readonly protocol?: string;
  /** What to send as soon as the socket is open. */
  readonly greeting?: (user: string) => string;
  /** What comes in binary frames is NATS's own protocol: `ready`, `ping` and `refusal` are of that. */
  readonly nats?: true;
  /** The frame that says that the client can be reached, by how it begins. */
  readonly ready: string;
  /** A frame that must be answered, and the answer; both begin and are whole. */
  readonly ping?: readonly [asked: string, answer: string];
  /** Frames that come in numbers, carry no data, and are counted: how they begin. */
  readonly answer?: string;
  /** Frames that must not come: how they begin. */
  readonly refusal?: string;
  /** The frame by which a client joins a group, and how the answer begins; absent: its URL says so. */
  readonly join?: readonly [frame: (group: string) => string, joined: string];
  /** The text of a frame that carries `data` (JSON text); `to`: `user:NAME` or `group:NAME`; `id` is unique, of a fixed length. */
  frame(to: string, data: string, id: string): string;
}

/** Bytes of a name at the head of a plain frame; as peers/servers/plain.ts has it. */
const NAME_BYTES = 16;

const ringway: Speech = {
  protocol: 'ringway.v1',
  ready: '{"type":"welcome"',
  ping: ['{"type":"ping"', '{"type":"pong"}'],
  answer: '{"type":"published"',
  refusal: '{"type":"error"',
  join: [(group) => `{"type":"join","channel":"group:${group}"}`, '{"type":"joined"'],
  frame: (to, data) => `{"type":"publish","to":"${to}","data":${data}}`,
};

/** Those who have no kinds of names. */
function nameOf(to: string): string {
  return to.slice(to.indexOf(':') + 1);
}

export const speeches: Readonly<Record<SpeechName, Speech>> = {
  plain: {
    ready: 'ready',
    frame: (to, data) => nameOf(to).padEnd(NAME_BYTES) + data,
  },
  nats: {
    nats: true,
    greeting: (user) => `CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${user} 1\r\nPING\r\n`,
    ready: 'PONG',
    ping: ['PING', 'PONG\r\n'],
    frame: (to, data) => `PUB ${nameOf(to)} ${data.length}\r\n${data}\r\n`,
  },
  'socket.io': {
    greeting: () => '40',
    ready: '40',
    ping: ['2', '3'],
    refusal: '44',
    frame: (to, data) => `42["m","${nameOf(to)}",${data}]`,
  },
  ringway,
  'ringway-answered': {
    ...ringway,
    frame: (to, data, id) => `{"type":"publish","to":"${to}","id":"${id}","data":${data}}`,
  },
};
