import { HTTP, type StreamedState } from '@ringway/protocol';
import type { Node } from '../../src/index.ts';
import type { TestCluster } from './cluster.ts';

/** One event of a stream. */
export interface StreamedEvent {
  readonly name: string;
  readonly data: StreamedState & { readonly nodeId?: string };
}

/** A reader of `GET /presence/events`: what came, in order. */
export class EventReader implements AsyncDisposable {
  readonly events: StreamedEvent[] = [];
  comments = 0;
  /** Resolves when the stream has ended, whichever way. */
  readonly ended: Promise<void>;
  private readonly abort: AbortController;

  private constructor(body: ReadableStream<Uint8Array>, abort: AbortController) {
    this.abort = abort;
    this.ended = this.read(body).catch(() => {});
  }

  static async open(cluster: TestCluster, node: Node, query = ''): Promise<EventReader> {
    const abort = new AbortController();
    const answer = await fetch(`${node.addresses.internalUrl}${HTTP.presenceEvents}${query}`, {
      headers: { authorization: `Bearer ${cluster.token(node)}` },
      signal: abort.signal,
    });
    if (!answer.ok || !answer.body) throw new Error(`${answer.status}: ${await answer.text()}`);
    return new EventReader(answer.body, abort);
  }

  get synced(): boolean {
    return this.events.some(({ name }) => name === 'synced');
  }

  /** Of each user, what was said, in order. */
  said(userId: string): boolean[] {
    return this.events.flatMap(({ name, data }) =>
      name === 'state' && data.userId === userId ? [data.online] : [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort.abort();
    await this.ended;
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
        if (name && data) this.events.push({ name, data: JSON.parse(data) });
        else this.comments++;
      }
    }
  }
}
