/** What a browser's page tells of itself. */
export interface PagePort {
  /** The network is back, or the page is looked at again: the connection may be dead without knowing. */
  readonly awake: () => void;
  /** The page goes into the back/forward cache, or away: an open socket would keep it out of the cache. */
  readonly hide: () => void;
  /** The page has come back out of the cache. */
  readonly show: () => void;
}

/** Listens to the page, where there is one; the answer is a function that stops it. */
export function watchPage(port: PagePort): () => void {
  const page = (globalThis as { document?: Document }).document;
  const abort = new AbortController();
  const on = (target: EventTarget, name: string, listener: () => void) =>
    target.addEventListener(name, listener, abort);
  if (page) {
    on(globalThis, 'online', port.awake);
    on(page, 'visibilitychange', () => page.visibilityState === 'visible' && port.awake());
    on(globalThis, 'pagehide', port.hide);
    on(globalThis, 'pageshow', port.show);
  }
  return () => abort.abort();
}
