import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RawFields, scanArray, scanFields } from '../src/index.ts';

function fieldsOf(text: string): Record<string, string> | undefined {
  const fields = new RawFields();
  if (scanFields(text, fields)) return undefined;
  return Object.fromEntries(
    Array.from({ length: fields.count }, (_, i) => [fields.name(i), fields.value(i)]),
  );
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const anyJson = fc.json({ maxDepth: 6 });
const alphabet = fc.constantFrom(
  ...'{}[]",:.0123456789-+eE \n\t\r\\/bfnrtu'.split(''),
  'true',
  'false',
  'null',
  '"a"',
  '\u0000',
  'é',
  '\u2028',
  '\ud800',
);

describe('scanFields', () => {
  it('keeps the text of a value to the last digit', () => {
    const text = '{ "type" : "publish","data":{"n": 9007199254740993.10, "s":"\\u0041"} , "id":"x"}';
    expect(fieldsOf(text)).toEqual({
      type: '"publish"',
      data: '{"n": 9007199254740993.10, "s":"\\u0041"}',
      id: '"x"',
    });
  });

  it('refuses a member that stands twice, also when one is escaped', () => {
    expect(fieldsOf('{"a":1,"b":2,"a":1}')).toBeUndefined();
    expect(fieldsOf('{"a":1,"\\u0061":1}')).toBeUndefined();
    expect(fieldsOf('{"x":{"a":1,"a":1}}')).toBeDefined();
  });

  it('finds a member by its name, also one written with escapes, and says whether a string is beyond ASCII', () => {
    const fields = new RawFields();
    expect(scanFields('{"\\u0061b":1,"a":"x","ab2":[2]}', fields)).toBeUndefined();
    expect([fields.get('ab'), fields.get('a'), fields.get('ab2'), fields.get('b')]).toEqual([
      '1',
      '"x"',
      '[2]',
      undefined,
    ]);
    expect(fields.beyondAscii).toBe(false);
    expect(scanFields('{"a":{"b":"é"}}', fields)).toBeUndefined();
    expect(fields.beyondAscii).toBe(true);
    expect(fields.get('ab')).toBeUndefined();
  });

  it('names what was wrong and where', () => {
    const fields = new RawFields();
    expect(scanFields('[1]', fields)).toEqual({ message: 'expected a JSON object', at: 0 });
    expect(scanFields('{"a":01}', fields)?.at).toBe(6);
    expect(scanFields('{"a":', fields)?.message).toContain('the end of the text');
  });

  it('is not exhausted by any depth', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(fieldsOf(`{"a":${deep}}`)?.a).toBe(deep);
    expect(fieldsOf(`{"a":${deep.slice(1)}}`)).toBeUndefined();
  });

  it('takes and refuses what JSON.parse takes and refuses, over mutations of valid texts', () => {
    fc.assert(
      fc.property(
        anyJson,
        fc.nat(),
        alphabet,
        fc.constantFrom('insert', 'replace', 'delete', 'none'),
        (json, at, piece, edit) => {
          const text = `{"v":${json}}`;
          const i = at % text.length;
          const mutated =
            edit === 'none'
              ? text
              : text.slice(0, i) +
                (edit === 'delete' ? '' : piece) +
                text.slice(edit === 'insert' ? i : i + 1);
          const fields = fieldsOf(mutated);
          if (fields) {
            const parsed = JSON.parse(mutated) as Record<string, unknown>;
            expect(Object.keys(parsed).length).toBe(Object.keys(fields).length);
            for (const [name, raw] of Object.entries(fields)) expect(JSON.parse(raw)).toEqual(parsed[name]);
          } else if (parses(mutated)) {
            const fields2 = new RawFields();
            expect(scanFields(mutated, fields2)?.message).toMatch(/stands twice|expected a JSON object/);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('agrees with JSON.parse over strings of JSON-like pieces', () => {
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 12 }), (pieces) => {
        const text = `{"v":${pieces.join('')}}`;
        if (fieldsOf(text) === undefined && parses(text)) expect(text).toMatch(/"v".*"v"|"\w*".*"\w*"/s);
        if (fieldsOf(text) !== undefined) expect(parses(text)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('scans UTF-8 read as Latin-1 like the text itself', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), (json) => {
        const text = `{"v":${json}}`;
        const latin1 = Buffer.from(text, 'utf8').toString('latin1');
        const raw = fieldsOf(latin1)?.v;
        expect(raw).toBeDefined();
        expect(Buffer.from(raw as string, 'latin1').toString('utf8')).toBe(json);
      }),
    );
  });
});

describe('scanArray', () => {
  it('cuts out the elements', () => {
    expect(scanArray(' [1, {"a":[ ]} ,"x"] ')).toEqual(['1', '{"a":[ ]}', '"x"']);
    expect(scanArray('[]')).toEqual([]);
    expect(scanArray('[1,]')).toMatchObject({ at: 3 });
    expect(scanArray('{}')).toMatchObject({ message: 'expected a JSON array' });
  });
});
