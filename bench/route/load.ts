// Keep-alive GETs over plain sockets, a few at a time on each connection, so that one core of load can keep one core of
// server busy; reads no more of an answer than its length.
import { connect, type Socket } from 'node:net';
import type { LoadJob, LoadResult } from './jobs.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('content-length: ');
const OK = Buffer.from('HTTP/1.1 200');

/** How long the first answer in the bytes is; 0 when it is not whole yet. */
function answerLength(bytes: Buffer): number {
  const head = bytes.indexOf(HEAD_END);
  if (head === -1) return 0;
  const at = bytes.indexOf(LENGTH) + LENGTH.length;
  const length = head + HEAD_END.length + Number.parseInt(bytes.toString('latin1', at, at + 8), 10);
  return bytes.length < length ? 0 : length;
}

function run(job: LoadJob): Promise<LoadResult> {
  const { hostname, port, pathname, search } = new URL(job.url);
  const requests = job.tokens.map(
    (token) => `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: ${token}\r\n\r\n`,
  );
  const began = performance.now();
  const until = began + job.milliseconds;
  let next = 0;
  let answered = 0;
  let refused = 0;
  let open = job.connections;

  return new Promise((resolve, reject) => {
    const ask = (socket: Socket): number => {
      if (performance.now() < until) {
        let text = '';
        for (let i = 0; i < job.atOnce; i++) text += requests[next++ % requests.length];
        socket.write(text, 'latin1');
        return job.atOnce;
      }
      socket.destroy();
      if (--open === 0) resolve({ answered, refused, milliseconds: performance.now() - began });
      return 0;
    };
    for (let i = 0; i < job.connections; i++) {
      const socket = connect(Number(port), hostname);
      let rest: Buffer | undefined;
      let outstanding = 0;
      socket.setNoDelay(true);
      socket.on('error', reject);
      socket.on('connect', () => {
        outstanding = ask(socket);
      });
      socket.on('data', (chunk) => {
        let bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
        for (let length = answerLength(bytes); length > 0; length = answerLength(bytes)) {
          answered++;
          outstanding--;
          if (!bytes.subarray(0, OK.length).equals(OK)) refused++;
          bytes = bytes.subarray(length);
        }
        rest = bytes.length > 0 ? bytes : undefined;
        if (outstanding === 0) outstanding = ask(socket);
      });
    }
  });
}

process.on('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      throw error;
    },
  );
});
