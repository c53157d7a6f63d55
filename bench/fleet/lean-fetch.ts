import { Agent, get } from 'node:http';

const agent = new Agent({ keepAlive: true });

/**
 * The global `fetch` as far as the SDK's `/route` needs it, at a third of its cost: one process stands for thousands of
 * clients here, whose own time is not what is measured.
 */
export const leanFetch: typeof fetch = (input, init) =>
  new Promise((resolve, reject) => {
    const options = { agent, headers: init?.headers as Record<string, string>, ...signalOf(init) };
    get(String(input), options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        const retryAfter = response.headers['retry-after'];
        resolve(
          new Response(text, {
            status: response.statusCode ?? 0,
            headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
          }),
        );
      });
      response.on('error', reject);
    }).on('error', reject);
  });

function signalOf(init: RequestInit | undefined): { signal?: AbortSignal } {
  return init?.signal ? { signal: init.signal } : {};
}
