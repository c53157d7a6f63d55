import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Answers with a status and ends the connection, both ways: after an end of this side alone a client that never closes
 * its own would keep the socket for as long as it likes.
 */
export function refuse(socket: Duplex, status: number): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.once('finish', destroy);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Not a closure: one that stands as long as the socket would keep alive what it was made in. */
export function destroy(this: Duplex): void {
  this.destroy();
}
