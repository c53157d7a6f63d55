import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/** PEM texts, and the paths of files that hold them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority made for one run: nothing else trusts it, and its files go with it. */
export interface TestCa extends AsyncDisposable {
  /** The authority's own certificate, PEM; trust it by `ca`. */
  readonly ca: string;
  /** A file that holds it; trust it by `NODE_EXTRA_CA_CERTS` or `curl --cacert`. */
  readonly caFile: string;
  /** A server certificate for localhost, 127.0.0.1 and the further names given, of this authority. */
  issue(name: string, ...dnsNames: string[]): Promise<Certificate>;
}

const day = 86_400_000;
const ec = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** Makes an authority; its files lie in a folder of their own until it is disposed. */
export async function createTestCa(): Promise<TestCa> {
  const folder = await mkdtemp(join(tmpdir(), 'ringway-ca-'));
  const span = { notBeforeDate: new Date(Date.now() - day), notAfterDate: new Date(Date.now() + 2 * day) };
  const root = await generate([{ name: 'commonName', value: 'Ringway test CA' }], {
    ...ec,
    ...span,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, root.cert);

  async function issue(name: string, ...dnsNames: string[]): Promise<Certificate> {
    const made = await generate([{ name: 'commonName', value: name }], {
      ...ec,
      ...span,
      ca: { key: root.private, cert: root.cert },
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 7, ip: '127.0.0.1' },
            ...['localhost', ...dnsNames].map((value) => ({ type: 2 as const, value })),
          ],
        },
      ],
    });
    const certFile = join(folder, `${name}.pem`);
    const keyFile = join(folder, `${name}.key`);
    await Promise.all([writeFile(certFile, made.cert), writeFile(keyFile, made.private, { mode: 0o600 })]);
    return { cert: made.cert, key: made.private, certFile, keyFile };
  }

  return {
    ca: root.cert,
    caFile,
    issue,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
