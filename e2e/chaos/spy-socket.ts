import { type ClientOptions, WebSocket } from 'ws';

/** What the SDK does not tell its application, and the checker has to know. */
export interface SpyReport {
  /** A publish was refused for the moment; the SDK will send it again. */
  refused(id: string): void;
  /** A node asked the session to move. */
  move(): void;
  closed(code: number): void;
  /** A session stands; `via` is how its ticket says it came there: `avoid` around its home, `move`, or straight. */
  welcomed(via: string | undefined): void;
}

/** The class of WebSockets for one client's SDK, that listens in on what the node says. */
export function spyingWebSocket(report: SpyReport): new (url: string, protocols: string[]) => WebSocket {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { perMessageDeflate: false } satisfies ClientOptions);
      this.on('message', (data) => {
        const text = String(data);
        // the cheap look first: most frames are messages
        if (text.startsWith('{"type":"message"') || text.startsWith('{"type":"published"')) return;
        const frame = JSON.parse(text) as { type: string; id?: string };
        if (frame.type === 'error' && frame.id !== undefined) report.refused(frame.id);
        if (frame.type === 'move') report.move();
        if (frame.type === 'welcome') report.welcomed(viaOf(url));
      });
      this.on('close', (code) => report.closed(code));
    }
  };
}

function viaOf(url: string): string | undefined {
  const payload = new URL(url).searchParams.get('ticket')?.split('.')[1] ?? '';
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { via?: string }).via;
}
