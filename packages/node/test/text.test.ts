import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromWire, jsonFromWire, jsonToWire, quote, toWire, unquote } from '../src/text.ts';

const text = fc.string({ unit: 'binary', maxLength: 60 }).filter((value) => value.isWellFormed());

describe('wire text', () => {
  it('is the UTF-8 of a string, one byte to a character, and comes back as it was', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'grapheme' }), fc.string()), (value) => {
        const wire = toWire(value);
        expect(Buffer.from(wire, 'latin1')).toEqual(Buffer.from(value, 'utf8'));
        expect(fromWire(wire)).toBe(value);
      }),
    );
  });

  it('of a quoted string is its JSON, and comes back as it was', () => {
    fc.assert(
      fc.property(text, (value) => {
        const wire = quote(value);
        expect(JSON.parse(Buffer.from(wire, 'latin1').toString('utf8'))).toBe(value);
        expect(unquote(wire)).toBe(value);
      }),
    );
  });

  it('of a string with escapes is read as JSON reads it', () => {
    for (const json of ['"\\u0061"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\ud83d\\ude00"', '"\\ud800"', '""']) {
      expect(unquote(json)).toBe(JSON.parse(json));
    }
  });

  it('that is JSON but no string is no string', () => {
    for (const json of ['1', 'null', '{"a":"b"}', '["a"]', 'true', '']) expect(unquote(json)).toBeUndefined();
  });

  it('of a value is its JSON, and comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const wire = jsonToWire(value);
        expect(Buffer.from(wire, 'latin1').toString('utf8')).toBe(JSON.stringify(value));
        expect(JSON.stringify(jsonFromWire(wire))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('never holds what one byte cannot, also of a lone surrogate', () => {
    for (const value of ['\ud800', 'a\udfffb', '漢字😀']) {
      for (const wire of [toWire(value), quote(value), jsonToWire({ value })]) {
        expect([...wire].every((character) => character.charCodeAt(0) < 256)).toBe(true);
      }
    }
    expect(unquote(quote('\ud800'))).toBe('\ud800');
  });
});
