import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../src/tcp-proxy.ts';
import { waitFor } from '../src/wait-for.ts';

/** An echo behind a proxy, and a client before it. */
describe('the TCP proxy', () => {
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  let proxy: TcpProxy;
  let client: Socket;
  let got = '';

  function dial(): Socket {
    return connect(proxy.port, '127.0.0.1')
      .setEncoding('utf8')
      .on('data', (text: string) => {
        got += text;
      });
  }

  beforeEach(async () => {
    got = '';
    if (!echo.listening) await once(echo.listen(0, '127.0.0.1'), 'listening');
    proxy = await startTcpProxy({ port: (echo.address() as AddressInfo).port });
    client = dial();
    await once(client, 'connect');
    client.write('one ');
    await waitFor(() => got === 'one ', { message: 'the echo of one' });
  });

  afterEach(async () => {
    client.destroy();
    await proxy[Symbol.asyncDispose]();
    echo.close();
  });

  it('carries bytes, and the end of them', async () => {
    expect(proxy.connections).toBe(1);
    client.end('two');
    await once(client, 'end');
    expect(got).toBe('one two');
    await waitFor(() => proxy.connections === 0, { message: 'both sides closed' });
  });

  it('cut: both ends see a reset, and so does who comes new', async () => {
    const failed = once(client, 'error');
    proxy.cut();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
    const late = connect(proxy.port, '127.0.0.1');
    expect((await once(late, 'error'))[0]).toMatchObject({ code: 'ECONNRESET' });
    proxy.heal();
    client = dial();
    client.write('again');
    await waitFor(() => got.endsWith('again'), { message: 'the echo after healing' });
  });

  it('stall: nobody sees anything, and after healing all comes in order', async () => {
    proxy.stall();
    client.write('two ');
    client.write('three ');
    const newcomer = dial();
    await once(newcomer, 'connect');
    await waitFor(() => client.writableLength === 0, { message: 'the kernel took what was written' });
    expect([got, client.destroyed, proxy.connections]).toEqual(['one ', false, 2]);
    proxy.heal();
    await waitFor(() => got === 'one two three ', { message: 'what was held' });
    newcomer.destroy();
  });
});
