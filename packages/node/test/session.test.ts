import { describe, expect, it } from 'vitest';
import { SocketBench } from './support/sessions.ts';

describe('a session', () => {
  it('ends once, also when its last words are more than may wait', async () => {
    await using bench = await SocketBench.start();
    const { session, client } = await bench.session();
    session.state = 'open';
    client.socket.pause();
    session.send('x'.repeat(32 * 1024 * 1024));
    bench.host.close(session, 'kicked');
    expect(bench.host.closed.map(({ name }) => name)).toEqual(['kicked']);
  });
});
