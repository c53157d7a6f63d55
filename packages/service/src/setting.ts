import { type KeySource, keysProblem } from './key-text.ts';

/** Outcome of reading one text: the value, or a phrase that says what was expected. */
export type Parsed<T> = { readonly value: T } | { readonly expected: string };

/**
 * One row of a settings table. The row is data: reading, `--help` and the document are all made from it.
 * `fallback` is the value when the variable is absent or empty; a `required` row has none.
 */
export interface Setting<T> {
  /** Environment variable, `RINGWAY_*`. */
  readonly name: string;
  /** Type as the document shows it. */
  readonly kind: string;
  /** Range or choices, as a phrase. */
  readonly expected: string;
  readonly help: string;
  readonly unit?: string;
  readonly required: boolean;
  /** The default as one would write it; absent when there is none. */
  readonly fallbackText?: string;
  readonly fallback: T | undefined;
  /** Never printed; may also be given as `<name>_FILE`, the path of a file that holds it. */
  readonly secret: boolean;
  /** Reread on SIGHUP. */
  readonly reload: boolean;
  parse(text: string, source: { readonly file?: string }): Parsed<T>;
}

/** What every kind of setting takes. Without `default` and `required` the value may be undefined. */
export interface SettingOptions<T> {
  readonly help: string;
  readonly default?: T;
  readonly required?: true;
  readonly reload?: boolean;
}

/** `host:port`, as {@link setting.address} reads it. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

type Present<T, O> = O extends { readonly default: T } | { readonly required: true } ? T : T | undefined;

interface Shape<T> {
  readonly kind: string;
  readonly expected: string;
  readonly unit?: string;
  readonly secret?: boolean;
  show?(value: T): string;
  parse(text: string, source: { readonly file?: string }): T | undefined | { readonly expected: string };
}

function isExpectation(value: unknown): value is { readonly expected: string } {
  return (
    typeof value === 'object' && value !== null && 'expected' in value && typeof value.expected === 'string'
  );
}

function build<T, O extends SettingOptions<T>>(
  name: string,
  options: O,
  shape: Shape<T>,
): Setting<Present<T, O>> {
  if (!/^RINGWAY_[A-Z0-9]+(_[A-Z0-9]+)*$/.test(name)) throw new TypeError(`not a setting's name: ${name}`);
  const fallback = options.default;
  const row: Setting<T> = {
    name,
    kind: shape.kind,
    expected: shape.expected,
    help: options.help,
    ...(shape.unit === undefined ? {} : { unit: shape.unit }),
    required: options.required === true,
    ...(fallback === undefined ? {} : { fallbackText: shape.show ? shape.show(fallback) : String(fallback) }),
    fallback,
    secret: shape.secret === true,
    reload: options.reload === true,
    parse(text, source) {
      const value = shape.parse(text, source);
      if (value === undefined) return { expected: shape.expected };
      return isExpectation(value) ? value : { value };
    },
  };
  return Object.freeze(row) as Setting<Present<T, O>>;
}

function range(min: number, max: number, show: (n: number) => string): string {
  if (max === Number.MAX_SAFE_INTEGER) return `at least ${show(min)}`;
  return `from ${show(min)} to ${show(max)}`;
}

interface RangeOptions extends SettingOptions<number> {
  readonly min?: number;
  readonly max?: number;
}

const DURATION_UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];
const BYTE_UNITS: readonly (readonly [string, number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['B', 1],
];

function withUnit(units: readonly (readonly [string, number])[]): (n: number) => string {
  const smallest = units[units.length - 1] as readonly [string, number];
  return (n) => {
    const [unit, size] = n === 0 ? smallest : (units.find(([, s]) => n % s === 0) ?? smallest);
    return `${n / size}${unit}`;
  };
}

function parseWithUnit(text: string, units: readonly (readonly [string, number])[]): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text);
  if (!match) return undefined;
  const unit = match[2] ?? '';
  const size = unit === '' ? 1 : units.find(([u]) => u.toLowerCase() === unit.toLowerCase())?.[1];
  if (size === undefined) return undefined;
  const value = Number(match[1]) * size;
  return Number.isSafeInteger(value) ? value : undefined;
}

function ranged<O extends RangeOptions>(
  name: string,
  options: O,
  kind: string,
  units: readonly (readonly [string, number])[],
  example: string,
): Setting<Present<number, O>> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  const show = withUnit(units);
  return build<number, O>(name, options, {
    kind,
    expected: `a ${kind} like ${example}, ${range(min, max, show)}`,
    show,
    parse(text) {
      const value = parseWithUnit(text, units);
      return value !== undefined && value >= min && value <= max ? value : undefined;
    },
  });
}

/** `127.0.0.1:8080`, `localhost:8080`, `[::1]:8080`; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65_535 ? Object.freeze({ host, port }) : undefined;
}

/** The address as {@link parseAddress} reads it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function splitList(text: string): readonly string[] {
  return Object.freeze(
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
}

/** The kinds of settings. Each takes the variable's name and its options, and gives one row of a table. */
export const setting = Object.freeze({
  /** A whole number. */
  int<const O extends RangeOptions & { readonly unit?: string }>(
    name: string,
    options: O,
  ): Setting<Present<number, O>> {
    const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = options;
    return build<number, O>(name, options, {
      kind: 'integer',
      expected: `an integer, ${range(min, max, String)}`,
      ...(unit === undefined ? {} : { unit }),
      parse(text) {
        const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
        return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
      },
    });
  },
  /** A decimal number. */
  number<const O extends RangeOptions & { readonly unit?: string }>(
    name: string,
    options: O,
  ): Setting<Present<number, O>> {
    const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = options;
    return build<number, O>(name, options, {
      kind: 'number',
      expected: `a number, ${range(min, max, String)}`,
      ...(unit === undefined ? {} : { unit }),
      parse(text) {
        const value = /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
        return value >= min && value <= max ? value : undefined;
      },
    });
  },
  /** A span of time in milliseconds; written `500ms`, `10s`, `2m`, `1h`, `1d`, or as plain milliseconds. */
  duration<const O extends RangeOptions>(name: string, options: O): Setting<Present<number, O>> {
    return ranged(name, options, 'duration', DURATION_UNITS, '500ms, 10s, 2m or 1h');
  },
  /** A size in bytes; written `64KiB`, `1MiB`, `1GiB`, or as plain bytes. */
  bytes<const O extends RangeOptions>(name: string, options: O): Setting<Present<number, O>> {
    return ranged(name, options, 'size', BYTE_UNITS, '8KiB or 1MiB');
  },
  /** Any text, or one that matches `pattern`, which `expected` describes. */
  string<const O extends SettingOptions<string> & { readonly pattern?: RegExp; readonly expected?: string }>(
    name: string,
    options: O,
  ): Setting<Present<string, O>> {
    return build<string, O>(name, options, {
      kind: 'text',
      expected: options.expected ?? 'a text',
      parse: (text) => (options.pattern === undefined || options.pattern.test(text) ? text : undefined),
    });
  },
  /** An absolute URL with one of the protocols, which are written with their colon (`wss:`). No trailing slash is kept. */
  url<
    const O extends SettingOptions<string> & {
      readonly protocols: readonly string[];
      readonly check?: (url: URL) => string | undefined;
    },
  >(name: string, options: O): Setting<Present<string, O>> {
    return build<string, O>(name, options, {
      kind: 'URL',
      expected: `a URL that begins with ${options.protocols.map((p) => `${p}//`).join(' or ')}`,
      parse(text) {
        if (!URL.canParse(text)) return undefined;
        const url = new URL(text);
        if (!options.protocols.includes(url.protocol) || url.hash !== '') return undefined;
        const expected = options.check?.(url);
        return expected === undefined ? text.replace(/\/+$/, '') : { expected };
      },
    });
  },
  /** `host:port`; port 0 takes a free one. */
  address<const O extends SettingOptions<Address>>(name: string, options: O): Setting<Present<Address, O>> {
    return build<Address, O>(name, options, {
      kind: 'address',
      expected: 'a host and port like 0.0.0.0:8080 or [::1]:8080',
      show: formatAddress,
      parse: parseAddress,
    });
  },
  /** Items separated by commas; `item` returns what it expected of a bad one. */
  list<
    const O extends SettingOptions<readonly string[]> & {
      readonly of: string;
      readonly item?: (text: string) => string | undefined;
    },
  >(name: string, options: O): Setting<Present<readonly string[], O>> {
    return build<readonly string[], O>(name, options, {
      kind: 'list',
      expected: `${options.of}, separated by commas`,
      show: (value) => value.join(','),
      parse(text) {
        const items = splitList(text);
        for (const item of items) {
          const expected = options.item?.(item);
          if (expected !== undefined) return { expected };
        }
        return items.length === 0 ? undefined : items;
      },
    });
  },
  /** One of the named choices. */
  choice<const C extends readonly string[], const O extends SettingOptions<C[number]>>(
    name: string,
    choices: C,
    options: O,
  ): Setting<Present<C[number], O>> {
    return build<C[number], O>(name, options, {
      kind: 'choice',
      expected: `one of ${choices.join(', ')}`,
      parse: (text) => choices.find((choice) => choice === text),
    });
  },
  /** On or off; off unless the default says otherwise. */
  flag(
    name: string,
    options: { readonly help: string; readonly default?: boolean; readonly reload?: boolean },
  ): Setting<boolean> {
    return build<boolean, SettingOptions<boolean> & { readonly default: boolean }>(
      name,
      { ...options, default: options.default ?? false },
      {
        kind: 'flag',
        expected: '1 or 0',
        show: (value) => (value ? '1' : '0'),
        parse(text) {
          if (/^(1|true|yes|on)$/i.test(text)) return true;
          return /^(0|false|no|off)$/i.test(text) ? false : undefined;
        },
      },
    );
  },
  /** One secret text, for example an access token. */
  secret<const O extends SettingOptions<string>>(name: string, options: O): Setting<Present<string, O>> {
    return build<string, O>(name, options, {
      kind: 'secret',
      expected: 'a text',
      secret: true,
      parse: (text) => text,
    });
  },
  /** A family of keys for `KeyFamily.load`: newest first, each at least 32 bytes. */
  keys<const O extends SettingOptions<KeySource>>(name: string, options: O): Setting<Present<KeySource, O>> {
    return build<KeySource, O>(name, options, {
      kind: 'keys',
      expected:
        'secrets of at least 32 bytes each (as text, or as base64:…), newest first, separated by commas or white space',
      secret: true,
      parse(text, { file }) {
        const expected = keysProblem(text);
        if (expected !== undefined) return { expected };
        return Object.freeze(file === undefined ? { name, text } : { name, text, file });
      },
    });
  },
});
