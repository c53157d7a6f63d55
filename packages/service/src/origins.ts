/**
 * What is wrong with an entry of an origins list, as a phrase of what was expected; undefined when nothing is. An entry
 * is `*`, an exact origin (`https://app.example.com`), or one with a wildcard as its first label
 * (`https://*.example.com`, which does not cover `https://example.com`).
 */
export function originProblem(entry: string): string | undefined {
  if (entry === '*') return undefined;
  const expected = 'origins like https://app.example.com or https://*.example.com, or *';
  const concrete = entry.replace('://*.', '://wildcard.');
  if (concrete.includes('*') || !URL.canParse(concrete)) return expected;
  const url = new URL(concrete);
  const special = url.protocol === 'http:' || url.protocol === 'https:';
  // other schemes (a packaged application's) have no origin that URL could tell
  const same = special ? url.origin === concrete : /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+$/.test(concrete);
  return same ? undefined : expected;
}

/** Whether an Origin header is allowed. A request without one is no browser's cross-origin request and is let through. */
export function originAllowed(origins: readonly string[], origin: string | undefined): boolean {
  if (origin === undefined) return true;
  return origins.some((entry) => {
    if (entry === '*' || entry === origin) return true;
    const star = entry.indexOf('*.');
    if (star === -1) return false;
    const scheme = entry.slice(0, star);
    const suffix = entry.slice(star + 1);
    const label = origin.slice(scheme.length, origin.length - suffix.length);
    return (
      origin.startsWith(scheme) && origin.endsWith(suffix) && label !== '' && /^[A-Za-z0-9.-]+$/.test(label)
    );
  });
}

/** Whether a host name or address can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}
