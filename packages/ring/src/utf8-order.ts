/**
 * Compares two well-formed strings as their UTF-8 bytes compare, which is by code point. JavaScript's own `<` compares
 * UTF-16 units, and so puts U+1F600 (D83D DE00) before U+FF5E; no other language would.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves the surrogates above all other units, where the code points that they stand for belong. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
