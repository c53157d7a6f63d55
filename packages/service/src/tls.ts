import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { SettingsError } from './settings-error.ts';

/** Paths of a certificate (with its chain) and its key, both PEM, and the names of the settings that gave them. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly names?: { readonly cert: string; readonly key: string };
}

/** PEM texts for node:https and node:tls. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Pairs two settings: both or neither.
 *
 * @param names of the settings, for messages.
 * @throws SettingsError when only one of them is given.
 */
export function tlsFiles(
  names: { readonly cert: string; readonly key: string },
  cert: string | undefined,
  key: string | undefined,
): TlsFiles | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined)
    throw new SettingsError([{ name: names.cert, expected: `a file, since ${names.key} is given` }]);
  if (key === undefined)
    throw new SettingsError([{ name: names.key, expected: `a file, since ${names.cert} is given` }]);
  return Object.freeze({ cert, key, names: Object.freeze({ ...names }) });
}

/**
 * Reads a certificate and its key and checks that they belong together.
 *
 * @throws SettingsError
 */
export function readTls(files: TlsFiles): TlsMaterial {
  const { names = { cert: 'certificate', key: 'key' } } = files;
  const read = (name: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new SettingsError([{ name, given: file, expected: 'a file that can be read' }], { cause });
    }
  };
  const material = { cert: read(names.cert, files.cert), key: read(names.key, files.key) };
  try {
    createSecureContext(material);
  } catch (cause) {
    throw new SettingsError(
      [
        {
          name: names.cert,
          given: files.cert,
          expected: `a PEM certificate that belongs to the key in ${files.key}`,
        },
      ],
      { cause },
    );
  }
  return material;
}

/**
 * Reads the authorities by which others are trusted.
 *
 * @param name of the setting that gave the path.
 * @throws SettingsError
 */
export function readAuthorities(name: string, file: string): string {
  try {
    const pem = readFileSync(file, 'utf8');
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    throw new SettingsError([{ name, given: file, expected: 'a file of PEM certificates' }], { cause });
  }
}
