/** What a server process is told. */
export interface ServerJob {
  /** Secret of the callers' tokens. */
  readonly authKeys: string;
  /** What the bare server answers, as JSON. */
  readonly answer: string;
  /** The schema of both. */
  readonly schema: object;
}

/** What the process that makes the load is told. */
export interface LoadJob {
  readonly url: string;
  /** Values of the Authorization header, used in turn. */
  readonly tokens: readonly string[];
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly atOnce: number;
  readonly milliseconds: number;
}

/** What it answers. */
export interface LoadResult {
  readonly answered: number;
  /** Answers other than 200. */
  readonly refused: number;
  /** From the first request to the last answer. */
  readonly milliseconds: number;
}

/** A server process tells where it listens. */
export function tellUrl(url: string): void {
  process.send?.({ url });
}
