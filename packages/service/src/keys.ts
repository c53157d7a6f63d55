import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hmacSha256, type Mac } from './hmac.ts';
import { type KeySource, keysProblem, splitKeys } from './key-text.ts';
import { type SettingProblem, SettingsError } from './settings-error.ts';

/** One secret of a family. */
export interface Key {
  /** First 8 hex digits of the secret's SHA-256: tells keys apart, tells nothing of the secret. */
  readonly kid: string;
  /** Whole SHA-256 of the secret in hex, to compare families without their secrets. Not for logs. */
  readonly fingerprint: string;
  readonly secret: KeyObject;
  /** HMAC-SHA-256 by this secret. */
  readonly mac: Mac;
}

function makeKey(bytes: Buffer): Key {
  const fingerprint = createHash('sha256').update(bytes).digest('hex');
  const secret = createSecretKey(bytes);
  return Object.freeze({ kid: fingerprint.slice(0, 8), fingerprint, secret, mac: hmacSha256(secret) });
}

/**
 * The secrets of one purpose. All are accepted, the newest (the first) signs, so that a key is changed in three steps
 * without a moment of refusal: add the new one last everywhere, move it first everywhere, take the old one away.
 */
export class KeyFamily {
  readonly name: string;
  /** Newest first; replaced as a whole by {@link reload}. Who caches by key caches by this array. */
  keys: readonly Key[];
  readonly #file: string | undefined;

  constructor(source: KeySource) {
    const expected = keysProblem(source.text);
    if (expected !== undefined) throw new SettingsError([{ name: source.name, expected }]);
    this.name = source.name;
    this.keys = Object.freeze(splitKeys(source.text).map(makeKey));
    this.#file = source.file;
  }

  /** From a text: secrets of at least 32 bytes, newest first, separated by commas or white space. */
  static parse(name: string, text: string): KeyFamily {
    return new KeyFamily({ name, text });
  }

  /** From a file that {@link reload} reads again. @throws SettingsError */
  static fromFile(name: string, file: string): KeyFamily {
    return new KeyFamily({ name, text: readKeyFile(name, file), file });
  }

  /** The key that signs. */
  get newest(): Key {
    return this.keys[0] as Key;
  }

  /**
   * Takes the keys of another source of the same purpose. Without one the family's file is read again, and nothing
   * happens to a family that came from a text. A bad source leaves the family as it was.
   *
   * @returns whether the keys changed.
   * @throws SettingsError
   */
  reload(source?: KeySource): boolean {
    const text = source?.text ?? (this.#file === undefined ? undefined : readKeyFile(this.name, this.#file));
    if (text === undefined) return false;
    const { keys } = new KeyFamily({ name: this.name, text });
    if (sameKeys(keys, this.keys)) return false;
    this.keys = keys;
    return true;
  }
}

function sameKeys(a: readonly Key[], b: readonly Key[]): boolean {
  return a.length === b.length && a.every((key, i) => key.fingerprint === b[i]?.fingerprint);
}

function readKeyFile(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SettingsError([{ name: `${name}_FILE`, given: file, expected: 'a file that can be read' }], {
      cause,
    });
  }
}

/**
 * No secret may serve two purposes: who can make one kind of token must not be able to make another.
 *
 * @throws SettingsError naming both families, never the secret.
 */
export function assertDistinct(families: readonly KeyFamily[]): void {
  const owner = new Map<string, string>();
  const problems: SettingProblem[] = [];
  for (const family of families) {
    for (const key of family.keys) {
      const other = owner.get(key.fingerprint);
      if (other === undefined) owner.set(key.fingerprint, family.name);
      else if (other !== family.name) {
        problems.push({
          name: family.name,
          expected: `secrets of its own, but key ${key.kid} is also one of ${other}`,
        });
      }
    }
  }
  if (problems.length > 0) throw new SettingsError(problems);
}

/** Signs texts with the newest key of a family and checks with all of them. */
export interface TextSigner {
  /** @returns `<kid>.<base64url HMAC-SHA-256>`, 52 characters. */
  sign(text: string): string;
  /** Whether the signature is ours, for exactly this text. Constant time in the signature. */
  verify(text: string, signature: string): boolean;
}

/**
 * A {@link TextSigner} over a family. `domain` is signed along with each text, so that a signature made for one purpose
 * cannot be shown for another (a token's header can never begin with it).
 */
export function hmacSigner(family: KeyFamily, domain = 'ringway-member'): TextSigner {
  const mac = (key: Key, text: string) => key.mac(`${domain}\n${text}`);
  return {
    sign: (text) => `${family.newest.kid}.${mac(family.newest, text)}`,
    verify(text, signature) {
      let found = false;
      for (const key of family.keys) {
        if (signature.startsWith(`${key.kid}.`) && sameText(signature.slice(9), mac(key, text))) found = true;
      }
      return found;
    },
  };
}

/**
 * Whether two texts are equal, in a time that depends on their lengths alone: every character is looked at, and nothing
 * is decided before the last. (Two Buffers and timingSafeEqual cost as much as the signature that is being compared.)
 */
export function sameText(a: string, b: string): boolean {
  const { length } = a;
  if (b.length !== length) return false;
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
