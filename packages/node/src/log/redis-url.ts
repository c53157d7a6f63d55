/** Nodes of one Redis, and how to speak to them. More than one: a Redis Cluster. */
export interface RedisAddress {
  readonly urls: readonly URL[];
  /** The same without user and password, for logs. */
  readonly shown: string;
}

/** What is wrong with a text like `redis://:password@host:6379/0`, or several of them separated by commas. */
export function redisUrlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'URLs like redis://host:6379';
  const { protocol, hostname, pathname, search, hash } = new URL(text);
  if (protocol !== 'redis:' && protocol !== 'rediss:') return 'URLs that begin with redis:// or rediss://';
  if (hostname === '') return 'URLs with a host';
  if (!/^\/?\d*$/.test(pathname)) return 'URLs whose path is nothing or the number of a database';
  return search === '' && hash === '' ? undefined : 'URLs without ? and #';
}

/** @throws TypeError for URLs that {@link redisUrlProblem} finds fault with, or that do not go together. */
export function redisAddress(texts: readonly string[]): RedisAddress {
  const urls = texts.map((text) => {
    const problem = redisUrlProblem(text);
    if (problem !== undefined) throw new TypeError(`expected ${problem}`);
    return new URL(text);
  });
  const [first] = urls;
  if (!first) throw new TypeError('expected at least one URL');
  for (const { protocol, username, password } of urls) {
    if (protocol !== first.protocol || username !== first.username || password !== first.password)
      throw new TypeError('expected URLs of one Redis Cluster, with the same protocol, user and password');
  }
  return { urls, shown: urls.map(({ protocol, host }) => `${protocol}//${host}`).join(',') };
}
