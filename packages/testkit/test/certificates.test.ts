import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createTestCa } from '../src/certificates.ts';

describe('the test authority', () => {
  it('is believed by those who were given it, for 127.0.0.1 and localhost', async () => {
    await using authority = await createTestCa();
    const { cert, key, certFile } = await authority.issue('node-1', 'node-1.test');
    expect(readFileSync(certFile, 'utf8')).toBe(cert);
    const parsed = new X509Certificate(cert);
    expect(parsed.checkHost('localhost')).toBe('localhost');
    expect(parsed.checkHost('node-1.test')).toBe('node-1.test');
    expect(parsed.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(parsed.verify(new X509Certificate(authority.ca).publicKey)).toBe(true);

    const server = createServer({ cert, key }, (_, response) => response.end('hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const get = (ca?: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request({ host: '127.0.0.1', port, agent: false, ...(ca ? { ca } : {}) }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    try {
      expect(await get(authority.ca)).toBe(200);
      await expect(get()).rejects.toMatchObject({ code: expect.stringMatching(/UNABLE_TO_|SELF_SIGNED/) });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
